/** An import: a token, the widget, and the statement safely with the broker. */

import { BrokerError } from './api.js';
import { el } from './dom.js';

/** @typedef {import('./api.js').Broker} Broker */
/** @typedef {import('./api.js').Config} Config */
/** @typedef {{data: unknown, metadata: unknown}} Payload */

const standIn = '/widget/portfolio-connect.js';

/** @type {Promise<void> | undefined} */
let loaded;

/** Loads the widget's script, once; after a failure the next call tries again. */
function load(/** @type {string} */ url) {
  loaded ??= new Promise((resolve, reject) => {
    const script = el('script', { src: url, on: {
      load: () => (globalThis.PortfolioConnect ? resolve() : reject(new WidgetError(notLoaded))),
      error: () => reject(new WidgetError(notLoaded)),
    } });
    document.head.append(script);
  }).catch((error) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

const notLoaded = {
  code: 'NOT_LOADED',
  title: 'The importer did not load',
  message: 'Its script could not be fetched.',
  remediation: 'Check your connection, or whether something blocks it, and try again.',
};

/** What the widget said went wrong. */
export class WidgetError extends Error {
  /** @param {{code: string, title?: string, message?: string, remediation?: string, details?: {requestId?: string}}} error */
  constructor({ code, title, message, remediation, details }) {
    super(message ?? code);
    this.code = code;
    this.title = title ?? 'The statement was not imported';
    this.text = [message, remediation].filter(Boolean).join(' ');
    this.small = [`Code ${code}`, details?.requestId && `request ${details.requestId}`].filter(Boolean).join(' · ');
  }
}

/**
 * Lets the person import a statement.
 * @param {Broker} broker
 * @param {Config} config
 * @returns {Promise<Payload | null>} null when they closed the widget; throws a
 *   BrokerError when there is no token, a WidgetError when the widget fails
 */
export async function pick(broker, config) {
  const [token] = await Promise.all([broker.token(), load(config.widget_url || standIn)]);
  const result = await opened({
    accessToken: token.access_token,
    apiBaseUrl: new URL(token.api_base_url || config.api_base_url, location.href).href.replace(/\/$/, ''),
    config: { title: 'Import your portfolio' },
  });
  if (result?.status === 'success') return { data: result.data, metadata: result.metadata };
  if (result?.status === 'error') throw new WidgetError(result.error ?? { code: 'UNKNOWN' });
  return null;
}

/** The widget's result; older versions reject when it is closed. */
async function opened(options) {
  try {
    return await globalThis.PortfolioConnect.open(options);
  } catch (error) {
    if (/closed/i.test(error?.message)) return { status: 'closed' };
    return { status: 'error', error: { code: error?.code ?? 'UNKNOWN', message: error?.message } };
  }
}

const attempts = 5;
const firstWait = 500; // ms, doubled each time
const longestWait = 8000; // ms; a broker that asks for more is left alone
const patience = 40_000; // ms in all, for a key that an attempt holds of which nothing was heard

/**
 * Saves a statement, again and again under the same key while the failure may
 * pass, so that it is kept exactly once.
 * @param {Broker} broker
 * @param {Payload} payload
 * @param {string} key
 * @param {(attempt: number) => void} onAgain told before each further attempt
 */
export async function save(broker, payload, key, onAgain) {
  let held = 0; // ms waited for the key
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await broker.save(payload, key);
    } catch (error) {
      if (!(error instanceof BrokerError) || !error.passing) throw error;
      let wait = Math.max(firstWait * 2 ** (attempt - 1) * (0.5 + Math.random()), 1000 * error.retryAfter);
      if (error.code === 'idempotency_in_flight') {
        wait = 1000 * error.retryAfter || wait;
        held += wait;
        if (held > patience) throw error;
      } else if (attempt >= attempts || wait > longestWait) {
        throw error;
      }
      onAgain(attempt + 1);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/** A new Idempotency-Key. crypto.randomUUID would need HTTPS or localhost. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
