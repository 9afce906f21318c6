/** The import of a statement: gets a token, opens the widget, saves the result. */

import { BrokerError } from './api.js';
import { el } from './dom.js';

/** @typedef {import('./api.js').Broker} Broker */
/** @typedef {import('./api.js').Config} Config */
/** @typedef {import('./api.js').Mode} Mode */
/** @typedef {{data: unknown, metadata: unknown}} Payload */

const standInURL = '/widget/portfolio-connect.js';

/** @type {Promise<void> | undefined} */
let loading;

/** Loads the widget's script once. After a failure the next call tries again. */
function load(/** @type {string} */ url) {
  loading ??= new Promise((resolve, reject) => {
    const script = el('script', { src: url, on: {
      load: () => (globalThis.PortfolioConnect ? resolve() : reject(new WidgetError(notLoaded))),
      error: () => reject(new WidgetError(notLoaded)),
    } });
    document.head.append(script);
  }).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

const notLoaded = {
  code: 'NOT_LOADED',
  title: 'The importer did not load',
  message: 'Its script could not be downloaded.',
  remediation: 'Check your connection and content blockers, then try again.',
};

/** An error that the widget returned. */
export class WidgetError extends Error {
  /** @param {WidgetFailure} error */
  constructor(error) {
    const { code, title, message, remediation, details } = { ...error, ...advice(error) };
    super(message ?? code);
    this.code = code;
    this.title = title ?? 'The statement was not imported';
    this.text = [message, remediation].filter(Boolean).join(' ');
    this.small = [`Code ${code}`, details?.requestId && `request ${details.requestId}`].filter(Boolean).join(' · ');
    this.wait = details?.retryAfter ?? 0; // seconds
    this.final = details?.status === 402; // another attempt cannot succeed
  }
}

/**
 * @typedef {object} WidgetFailure
 * @property {string} code
 * @property {string} [title]
 * @property {string} [message]
 * @property {string} [remediation]
 * @property {{status?: number, serverCode?: string, serverMessage?: string, requestId?: string, retryAfter?: number}} [details]
 */

/**
 * Returns what this app knows better than the widget about an error: texts that replace
 * the widget's.
 * @param {WidgetFailure} error
 */
function advice({ code, details }) {
  if (details?.status === 402) {
    const budget = details.serverCode === 'BUDGET_EXHAUSTED' && details.serverMessage; // says until when
    return {
      title: 'No more imports for now',
      message: budget || 'The credits for imports are used up.',
      remediation: `Nothing was imported. ${budget ? 'If you cannot wait' : 'Try again later; if that does not help'}, contact support.`,
    };
  }
  if (code === 'AUTHENTICATION') {
    return {
      title: 'Your access to the importer has ended',
      message: 'It expired, or it was revoked.',
      remediation: 'Start the import again to get a new one.',
    };
  }
  if (code === 'RATE_LIMITED' && details?.retryAfter) {
    return { remediation: `Try again in ${details.retryAfter} seconds; the button below counts them.` };
  }
  return {};
}

/**
 * Opens the widget for the user to import a statement.
 * @param {Broker} broker
 * @param {Config} config
 * @param {Mode} mode
 * @param {(event: string) => void} onEvent called at each step in the widget
 * @returns {Promise<Payload | null>} null when the user closed the widget; throws a
 *   BrokerError when it gets no token, a WidgetError when the widget fails
 */
export async function openWidget(broker, config, mode, onEvent) {
  const [token] = await Promise.all([broker.token(mode), load(config.widget_url || standInURL)]);
  const result = await widgetResult({
    accessToken: token.access_token,
    apiBaseUrl: new URL(token.api_base_url || config.api_base_url, location.href).href.replace(/\/$/, ''),
    config: { title: 'Import your portfolio', ...otherWays(config, mode) },
    onEvent,
  });
  if (result?.status === 'success') return { data: result.data, metadata: result.metadata };
  if (result?.status === 'error') throw new WidgetError(result.error ?? { code: 'UNKNOWN' });
  return null;
}

/** Returns the settings for the vendor's widget that turn on what the gateway serves besides PDFs. */
function otherWays({ widget_url: vendorWidget, features = [] }, mode) {
  if (!vendorWidget || mode !== 'gateway') return {}; // the stand-in imports PDFs only
  return {
    enableGenerator: features.includes('generate'),
    enableCdslFetch: features.includes('fetch'),
    enableInboundEmail: features.includes('inbound_email'),
  };
}

/** Returns the widget's result. Older versions of the widget reject when it is closed. */
async function widgetResult(options) {
  try {
    return await globalThis.PortfolioConnect.open(options);
  } catch (error) {
    if (/closed/i.test(error?.message)) return { status: 'closed' };
    return { status: 'error', error: { code: error?.code ?? 'UNKNOWN', message: error?.message } };
  }
}

const maxAttempts = 5;
const firstWait = 500; // ms, doubled each time
const maxWait = 8000; // ms; no retry when the broker asks for more
const maxInFlightWait = 40_000; // ms in total, while an earlier attempt may still be in progress

/**
 * Saves a statement. It retries with the same key while the error is retryable, so
 * the statement is saved exactly once.
 * @param {Broker} broker
 * @param {Payload} payload
 * @param {string} key
 * @param {(attempt: number) => void} onRetry called before each retry
 */
export async function save(broker, payload, key, onRetry) {
  let inFlightWait = 0; // ms
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await broker.save(payload, key);
    } catch (error) {
      if (!(error instanceof BrokerError) || !error.retryable) throw error;
      let wait = Math.max(firstWait * 2 ** (attempt - 1) * (0.5 + Math.random()), 1000 * error.retryAfter);
      if (error.code === 'idempotency_in_flight') {
        wait = 1000 * error.retryAfter || wait;
        inFlightWait += wait;
        if (inFlightWait > maxInFlightWait) throw error;
      } else if (attempt >= maxAttempts || wait > maxWait) {
        throw error;
      }
      onRetry(attempt + 1);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/** Returns a new Idempotency-Key. crypto.randomUUID requires HTTPS or localhost. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
