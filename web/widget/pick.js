/** The step in which the user picks one of the files that were found, and gives its password. */

import { el, passwordField } from './dom.js';
import { importDocument } from './importing.js';

/**
 * @typedef {object} Found A file of the vendor's.
 * @property {string} url
 * @property {string} filename
 * @property {string} [cas_type]
 * @property {string} [message_date]
 * @property {string} [sender_email]
 */

/**
 * Returns the step.
 * @param {import('./dialog.js').Dialog} session
 * @param {{files: Found[], source: 'INBOX' | 'INBOUND_EMAIL' | 'CDSL_FETCH', method: string, title: string,
 *   password?: string, back?: () => import('./dialog.js').Step, imported?: () => void}} options imported is called after a success
 * @returns {import('./dialog.js').Step}
 */
export function pick(session, { files, source, method, title, password, back, imported }) {
  const secret = passwordField(password ?? session.config.prefill.pan?.toUpperCase());
  const list = el('fieldset', {}, el('legend', {}, files.length === 1 ? 'Statement' : `Statements (${files.length})`),
    el('div', { class: 'files' }, ...files.map((file, i) => choice(file, i))));
  list.addEventListener('change', () => session.emit('FILE_SELECTED', { filename: chosen().filename }));
  const chosen = () => files[Number(list.querySelector('input:checked').value)];
  return {
    name: 'pick', title, back,
    body: [list, secret.node],
    focus: list.querySelector('input'),
    action: 'Import statement',
    busy: 'Reading the statement. This takes up to half a minute…',
    check: () => (secret.input.value === ''
      ? { title: 'Enter the statement’s password', message: 'Usually your PAN in capitals.', input: secret.input } : undefined),
    run: async (signal) => {
      const { url: pdfUrl, ...metadata } = chosen();
      const input = { kind: /** @type {const} */ ('url'), pdfUrl, filename: metadata.filename, source, metadata };
      if (await importDocument(session, input, secret.input.value, method, signal)) imported?.();
    },
    inputOf: ({ code }) => (code === 'INVALID_PASSWORD' ? secret.input : undefined),
  };
}

function choice(file, i) {
  const { title, detail } = describe(file);
  return el('label', {},
    el('input', { type: 'radio', name: 'statement', value: i, checked: i === 0, testid: `pick-${i}` }),
    el('span', {}, el('bdi', {}, title), el('small', {}, el('bdi', {}, detail))));
}

/** Returns how a file is listed: by issuer and day, as far as they are known. */
function describe({ filename, cas_type: type, message_date: sent, sender_email: sender }) {
  const parts = /^([a-z]+)_(\d{4})(\d{2})(\d{2})_/.exec(filename) ?? [];
  const day = dayText(sent ?? (parts[2] && `${parts[2]}-${parts[3]}-${parts[4]}`));
  const issuer = (type ?? parts[1])?.toUpperCase();
  if (!issuer && !day) return { title: filename, detail: sender ?? '' };
  return { title: [issuer, day].filter(Boolean).join(' · '), detail: sender ? `from ${sender}` : filename };
}

function dayText(text) {
  const at = new Date(text ?? '');
  if (Number.isNaN(at.valueOf())) return '';
  return at.toLocaleDateString('en-IN', { day: 'numeric', month: 'short', year: 'numeric', timeZone: text.includes('T') ? undefined : 'UTC' });
}
