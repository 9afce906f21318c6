/** The calls of the parser's API. */

import { fromResponse, widgetError } from './errors.js';

const defaultBaseURL = 'https://api.casparser.in';
const parseTimeout = 60_000; // ms, as the vendor advises
const otpTimeout = 50_000; // ms, as the vendor advises for a fetch
const otherTimeout = 30_000; // ms

/** @typedef {import('./portfolio-connect').ErrorCode} ErrorCode */

/**
 * Makes calls with the credential of one open widget. Each rejects with a WidgetError, or
 * with the reason of the signal.
 */
export class API {
  /** @param {{accessToken?: string, apiKey?: string, apiBaseUrl?: string}} options */
  constructor({ accessToken, apiKey, apiBaseUrl }) {
    this.credential = accessToken || apiKey || '';
    this.base = (apiBaseUrl || defaultBaseURL).replace(/\/+$/, '');
  }

  /**
   * Makes a call of JSON and returns the answer's object.
   * @param {string} method
   * @param {string} path
   * @param {{body?: object, headers?: Record<string, string>, kind?: ErrorCode, signal: AbortSignal}} options
   *   kind is the code of an error in what the request says
   * @returns {Promise<any>}
   */
  async call(method, path, { body, headers = {}, kind, signal }) {
    const limit = AbortSignal.timeout(timeoutOf(path));
    try {
      const response = await fetch(this.base + path, {
        method, signal: AbortSignal.any([signal, limit]), body: body && JSON.stringify(body), referrerPolicy: 'no-referrer',
        headers: { 'x-api-key': this.credential, ...(body && { 'Content-Type': 'application/json' }), ...headers },
      });
      return answer(response.status, await response.text(), (name) => response.headers.get(name), kind);
    } catch (exception) {
      if (signal.aborted) throw signal.reason;
      throw exception instanceof Error ? widgetError('NETWORK') : exception; // a WidgetError is a plain object
    }
  }

  /** Parses the statement at a URL of the vendor. */
  parseURL(/** @type {string} */ pdfURL, /** @type {string} */ password, /** @type {AbortSignal} */ signal) {
    return this.call('POST', '/v4/smart/parse', { body: { pdf_url: pdfURL, password }, signal });
  }

  /**
   * Parses a file. It uses XMLHttpRequest, because fetch does not report upload progress.
   * @param {File} file
   * @param {string} password
   * @param {(percent: number) => void} onProgress
   * @param {AbortSignal} signal
   * @returns {Promise<unknown>}
   */
  parseFile(file, password, onProgress, signal) {
    const form = new FormData();
    form.set('pdf_file', file, file.name);
    form.set('password', password);
    const call = new XMLHttpRequest();
    call.open('POST', `${this.base}/v4/smart/parse`);
    call.setRequestHeader('x-api-key', this.credential);
    call.timeout = parseTimeout;
    signal.addEventListener('abort', () => call.abort());
    call.upload.onprogress = (e) => {
      if (e.lengthComputable) onProgress(Math.floor((100 * e.loaded) / e.total));
    };
    return new Promise((resolve, reject) => {
      call.onload = () => {
        try {
          resolve(answer(call.status, call.responseText, (name) => call.getResponseHeader(name)));
        } catch (error) {
          reject(error);
        }
      };
      call.onerror = () => reject(widgetError('NETWORK'));
      call.onabort = () => reject(signal.reason);
      call.ontimeout = () => reject(widgetError('NETWORK', { message: 'The parser took longer than a minute.' }));
      call.send(form);
    });
  }
}

function timeoutOf(path) {
  if (path.endsWith('/parse')) return parseTimeout;
  return path.startsWith('/v4/cdsl/') ? otpTimeout : otherTimeout;
}

/** Returns the object in a response, or throws the error. */
function answer(status, text, header, kind) {
  const body = parseObject(text);
  const good = status >= 200 && status < 300;
  if (good && body && body.status !== 'failed' && body.status !== 'error') return body;
  const headers = {
    requestId: header('X-Request-ID') ?? undefined,
    retryAfter: Number.parseInt(header('Retry-After') ?? '', 10) || undefined,
  };
  if (good && !body) {
    throw widgetError('UNKNOWN', { message: 'The parser’s response could not be read.', details: { status, ...headers } });
  }
  throw fromResponse(good ? 422 : status, body, headers, kind);
}

function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}
