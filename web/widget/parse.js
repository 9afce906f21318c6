/** The calls of the widget: looking at a file, and having it parsed. */

import { fault, fromAnswer } from './faults.js';

const usualBaseURL = 'https://api.casparser.in';
const largest = 10 * 1024 * 1024; // the vendor's cap
const longest = 60_000; // ms, the vendor's advice for a parse

/**
 * Looks at a file before it is sent anywhere.
 * @param {File} file
 * @returns {Promise<import('./portfolio-connect').WidgetError | undefined>}
 */
export async function inspect(file) {
  if (file.size > largest) {
    return fault('PARSE_ERROR', {
      title: 'This file is too large',
      message: 'A statement may have 10 MB at most.',
      remediation: 'Choose another file, or ask for a statement over a shorter period.',
    });
  }
  const head = await file.slice(0, 1024).text().catch(() => '');
  if (!head.includes('%PDF-')) {
    return fault('PARSE_ERROR', {
      title: 'This is not a PDF',
      message: 'Statements come as PDF files.',
      remediation: 'Choose the PDF as you got it by email.',
    });
  }
  return undefined;
}

/**
 * Sends a statement to the parser. XMLHttpRequest, because fetch does not tell
 * how much was uploaded.
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
  call.open('POST', `${(options.apiBaseUrl || usualBaseURL).replace(/\/+$/, '')}/v4/smart/parse`);
  call.setRequestHeader('x-api-key', options.accessToken);
  call.timeout = longest;
  signal.addEventListener('abort', () => call.abort());
  call.upload.onprogress = (e) => {
    if (e.lengthComputable) onProgress(Math.floor((100 * e.loaded) / e.total));
  };
  return new Promise((resolve, reject) => {
    call.onload = () => {
      try {
        resolve(read(call));
      } catch (error) {
        reject(error);
      }
    };
    call.onerror = () => reject(fault('NETWORK'));
    call.onabort = () => reject(signal.reason);
    call.ontimeout = () => reject(fault('NETWORK', { message: 'The parser took longer than a minute.' }));
    call.send(form);
  });
}

/** The statement in an answer; throws the fault when there is none. */
function read(call) {
  const body = json(call.responseText);
  if (call.status === 200 && body && body.status !== 'failed' && body.status !== 'error') return body;
  if (call.status === 200 && !body) {
    throw fault('UNKNOWN', { message: 'The parser’s answer could not be read.', details: { status: 200 } });
  }
  throw fromAnswer(call.status === 200 ? 422 : call.status, body, {
    requestId: call.getResponseHeader('X-Request-ID') ?? undefined,
    retryAfter: Number.parseInt(call.getResponseHeader('Retry-After') ?? '', 10) || undefined,
  });
}

function json(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}
