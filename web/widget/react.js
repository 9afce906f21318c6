/**
 * The widget as a React component and a hook, with the vendor's props. It imports "react",
 * which the page has to resolve: by its bundler, or by an import map.
 */

import { useCallback, useEffect, useRef, useState } from 'react';

/**
 * Returns what opens the widget, and its state.
 * @param {import('./portfolio-connect').Options} props
 */
export function usePortfolioConnect(props) {
  const latest = useRef(props);
  const handle = useRef(/** @type {import('./portfolio-connect').Handle | undefined} */ (undefined));
  const [isReady, setReady] = useState(false);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    latest.current = props;
  });
  useEffect(() => {
    let mounted = true;
    import('./portfolio-connect.js').then(() => mounted && setReady(true), () => {});
    return () => {
      mounted = false;
      handle.current?.destroy();
    };
  }, []);
  const open = useCallback(async () => {
    await import('./portfolio-connect.js');
    handle.current = /** @type {any} */ (globalThis).PortfolioConnect.create(latest.current);
    setOpen(true);
    try {
      return await handle.current.open();
    } finally {
      setOpen(false);
    }
  }, []);
  return { open, isReady, isOpen };
}

/** Renders what children, a function of {open, isReady, isOpen}, returns. */
export function PortfolioConnect({ children, ...options }) {
  return children(usePortfolioConnect(options));
}

export default PortfolioConnect;
