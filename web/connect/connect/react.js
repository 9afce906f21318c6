'use client';

/**
 * connect.js for React: a hook and a component with the props of the vendor's own. It imports
 * "react", which the page has to resolve, by its bundler or by an import map.
 */

import { createElement, useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { createConnect } from '../connect.js';

export { ConnectError, createConnect } from '../connect.js';

/** Makes the Connect of a component. The app's functions may be new ones at each rendering. */
function useConnect(props, latest) {
  const { brokerUrl, user, tokenUrl, language, keepUnsaved, upload } = props;
  const withToken = Boolean(props.getUserToken);
  // Code for the vendor's component brings a token and saves the result itself.
  const alone = props.accessToken && !withToken && brokerUrl === undefined && tokenUrl === undefined;
  const saveUrl = props.saveUrl ?? (alone ? false : undefined);
  const own = useMemo(() => createConnect({
    brokerUrl, user, tokenUrl, saveUrl, language, keepUnsaved, upload, token: latest.current.token, texts: latest.current.texts, widget: latest.current.widget,
    getUserToken: withToken ? (o) => latest.current.getUserToken(o) : undefined,
  }), [brokerUrl, user, tokenUrl, saveUrl, language, keepUnsaved, upload, withToken, latest]);
  return props.connect ?? own;
}

/** Returns an error as the vendor's onError gets it. */
function vendorError({ code, title, message, remediation, retryable, status, requestId, retryAfter }) {
  return { code: code.toUpperCase(), title, message, remediation, retryable, details: { status, requestId, retryAfter } };
}

export function usePortfolioConnect(props) {
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  const connect = useConnect(props, latest);
  const mounted = useRef(/** @type {AbortController | undefined} */ (undefined));
  const [isReady, setReady] = useState(false);
  const [isOpen, setOpen] = useState(false);

  useEffect(() => {
    const controller = new AbortController();
    mounted.current = controller;
    const done = () => controller.signal.aborted || setReady(true); // also after an error: open() tries again, and says what is wrong
    connect.prefetch(latest.current).then(done, done);
    return () => {
      controller.abort();
      setOpen(false); // open() of this Connect does not, once it was aborted
    };
  }, [connect]);

  const opening = useRef(/** @type {{signal?: AbortSignal, result?: Promise<any>}} */ ({}));

  const run = useCallback(async (signal) => {
    setOpen(true);
    const { config, accessToken, apiBaseUrl, onOpen, onEvent, onSubmit } = latest.current;
    const result = await connect.open({ config, accessToken, apiBaseUrl, onOpen, onEvent, onSubmit, signal });
    if (signal?.aborted) return result;
    setOpen(false);
    const { onSuccess, onError, onExit } = latest.current;
    if (result.status === 'saved' || result.status === 'parsed') onSuccess?.(result.data, result.metadata, result.portfolio);
    if (result.status === 'error') onError?.(vendorError(result.error));
    onExit?.();
    return result;
  }, [connect]);

  /** Calls while it is open share its result; the app's callbacks are called once. */
  const open = useCallback(() => {
    const { signal } = mounted.current ?? {};
    const { current } = opening;
    if (!current.result || current.signal !== signal) {
      const mine = { signal };
      opening.current = mine;
      mine.result = run(signal).finally(() => {
        mine.result = undefined;
      });
    }
    return opening.current.result;
  }, [run]);
  return { open, isReady, isOpen, connect };
}

/** Renders what children, a function of {open, isReady, isOpen}, returns; or a button with children in it. */
export function PortfolioConnect({ children, className, ...props }) {
  const state = usePortfolioConnect(props);
  if (typeof children === 'function') return children(state);
  const { open, isReady, isOpen } = state;
  return createElement('button', { type: 'button', className, disabled: !isReady || isOpen, 'aria-busy': isOpen, onClick: open }, children ?? 'Import portfolio');
}

export default PortfolioConnect;
