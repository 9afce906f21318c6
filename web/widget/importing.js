/** The last part of all ways to import: a document and its password become a result. */

import { widgetError } from './errors.js';
import { issuerList } from './options.js';

const maxBytes = 10 * 1024 * 1024; // the vendor's limit

/** @typedef {import('./portfolio-connect').SubmitInput} SubmitInput */
/** @typedef {import('./dialog.js').Dialog} Dialog */

/**
 * Checks the size and the type of a file.
 * @param {File} file
 * @returns {Promise<import('./portfolio-connect').WidgetError | undefined>} undefined for a valid file
 */
export async function checkFile(file) {
  if (file.size > maxBytes) {
    return widgetError('PARSE_ERROR', {
      title: 'This file is too large',
      message: 'The limit is 10 MB.',
      remediation: 'Choose the original PDF from the email.',
    });
  }
  const head = await file.slice(0, 1024).text().catch(() => '');
  if (head.includes('%PDF-')) return undefined;
  return widgetError('PARSE_ERROR', {
    title: 'This is not a PDF',
    message: 'Statements come as PDF files.',
    remediation: 'Choose the original PDF from the email.',
  });
}

/**
 * Has a document parsed, by the app if it has an onSubmit, and ends the import.
 * @param {Dialog} session
 * @param {SubmitInput} input
 * @param {string} password
 * @param {string} method of the import, for the metadata
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} whether it has ended the import; false if the user has left
 */
export async function importDocument(session, input, password, method, signal) {
  const began = performance.now();
  session.emit(input.kind === 'file' ? 'UPLOAD_STARTED' : 'PARSE_STARTED', { filename: input.filename, source: input.source });
  const data = await submit(session, input, password, signal);
  if (signal.aborted) return false;
  const type = checkType(data, session.config.allowedTypes);
  const duration = Math.round(performance.now() - began);
  session.emit('PARSE_SUCCESS', { cas_type: type, parse_duration_ms: duration });
  session.succeed(data, {
    filename: input.filename, parser_type: type, parse_duration_ms: duration, cas_type: type, method, source: input.source,
  });
  return true;
}

function submit({ options, api, emit, progress }, input, password, signal) {
  let parsing = input.kind === 'url';
  const onProgress = (/** @type {number} */ percent) => {
    if (signal.aborted || !(percent >= 0)) return;
    progress(Math.min(percent, 100));
    if (input.kind === 'file') emit('UPLOAD_PROGRESS', { percent });
    if (percent >= 100 && !parsing) {
      parsing = true;
      emit('PARSE_STARTED', { filename: input.filename, source: input.source });
    }
  };
  if (options.onSubmit) return options.onSubmit(input, password, onProgress);
  if (input.kind === 'file') return api.parseFile(input.file, password, onProgress, signal);
  progress(100);
  return api.parseURL(input.pdfUrl, password, signal);
}

/** Returns the statement's type; throws when the app does not accept it. */
function checkType(data, allowed) {
  const type = String(data?.meta?.cas_type ?? data?.cas_type ?? 'UNKNOWN').toUpperCase();
  if (type !== 'UNKNOWN' && !allowed.includes(type)) {
    throw widgetError('PARSE_ERROR', {
      title: 'This type of statement is not accepted here',
      message: `It comes from ${issuerList([type])}.`,
      remediation: `Choose one from ${issuerList(allowed)}.`,
    });
  }
  return type;
}
