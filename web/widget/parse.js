/** Checks a file and sends it to the parser. */

import { fromResponse, widgetError } from './errors.js';

const defaultBaseURL = 'https://api.casparser.in';
const maxBytes = 10 * 1024 * 1024; // the vendor's limit
const timeout = 60_000; // ms, as the vendor advises for a parse

/**
 * Checks the size and the type of a file.
 * @param {File} file
 * @returns {Promise<import('./portfolio-connect').WidgetError | undefined>} undefined for a valid file
 */
export async function validate(file) {
  if (file.size > maxBytes) {
    return widgetError('PARSE_ERROR', {
      title: 'This file is too large',
      message: 'The limit is 10 MB.',
      remediation: 'Choose another file, or request a statement for a shorter period.',
    });
  }
  const head = await file.slice(0, 1024).text().catch(() => '');
  if (!head.includes('%PDF-')) {
    return widgetError('PARSE_ERROR', {
      title: 'This is not a PDF',
      message: 'Statements come as PDF files.',
      remediation: 'Choose the original PDF from the email.',
    });
  }
  return undefined;
}

/**
 * Sends a statement to the parser. It uses XMLHttpRequest, because fetch does not
 * report upload progress.
 * @param {{accessToken: string, apiBaseUrl?: string}} options
 * @param {File} file
 * @param {string} password
 * @param {(percent: number) => void} onProgress
 * @param {AbortSignal} signal
 * @returns {Promise<unknown>} the parsed statement; rejects with a WidgetError, or
 *   with the signal's reason
 */
export function parse(options, file, password, onProgress, signal) {
  const form = new FormData();
  form.set('pdf_file', file, file.name);
  form.set('password', password);

  const call = new XMLHttpRequest();
  call.open('POST', `${(options.apiBaseUrl || defaultBaseURL).replace(/\/+$/, '')}/v4/smart/parse`);
  call.setRequestHeader('x-api-key', options.accessToken);
  call.timeout = timeout;
  signal.addEventListener('abort', () => call.abort());
  call.upload.onprogress = (e) => {
    if (e.lengthComputable) onProgress(Math.floor((100 * e.loaded) / e.total));
  };
  return new Promise((resolve, reject) => {
    call.onload = () => {
      try {
        resolve(statementFrom(call));
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

/** Returns the statement in a response, or throws the error. */
function statementFrom(call) {
  const body = parseObject(call.responseText);
  if (call.status === 200 && body && body.status !== 'failed' && body.status !== 'error') return body;
  if (call.status === 200 && !body) {
    throw widgetError('UNKNOWN', { message: 'The parser’s response could not be read.', details: { status: 200 } });
  }
  throw fromResponse(call.status === 200 ? 422 : call.status, body, {
    requestId: call.getResponseHeader('X-Request-ID') ?? undefined,
    retryAfter: Number.parseInt(call.getResponseHeader('Retry-After') ?? '', 10) || undefined,
  });
}

function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}
