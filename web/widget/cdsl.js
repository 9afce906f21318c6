/** Statements from CDSL: the investor's identity, then the OTP, then the files. */

import { el, field } from './dom.js';
import { pick } from './pick.js';

/** @typedef {import('./dialog.js').Dialog} Dialog */
/** @typedef {import('./dialog.js').Step} Step */

const kind = 'CDSL_FETCH_ERROR';

/**
 * Returns the step that asks who the investor is.
 * @param {Dialog} session
 * @param {{back: () => Step}} options
 * @returns {Step}
 */
export function cdsl(session, { back }) {
  const { prefill } = session.config;
  const pan = panField(prefill.pan);
  const boID = field({ name: 'bo-id', label: 'BO ID', inputmode: 'numeric', maxlength: 16, value: prefill.boId,
    hint: 'The 16 digits of your demat account, in your broker’s app or on a statement.' });
  const dob = field({ name: 'dob', label: 'Date of birth', type: 'date', value: prefill.dob, max: new Date().toISOString().slice(0, 10) });
  return {
    name: 'cdsl', title: 'Get it from CDSL', subtitle: 'CDSL sends a code to the mobile number of your demat account.', back, failure: 'CDSL_ERROR',
    body: [pan.node, boID.node, dob.node],
    focus: pan.input,
    action: 'Send the code',
    busy: 'Asking CDSL for a code. This takes up to 20 seconds…',
    check: () => missingPAN(pan.input) ?? (/^\d{16}$/.test(boID.input.value.trim())
      ? dob.input.value ? undefined : { title: 'Enter your date of birth', message: 'As your depository has it.', input: dob.input }
      : { title: 'Enter the BO ID', message: 'It has 16 digits.', input: boID.input }),
    run: async (signal) => {
      const identity = { pan: pan.input.value.trim().toUpperCase(), bo_id: boID.input.value.trim(), dob: dob.input.value };
      session.emit('CDSL_FETCH_STARTED');
      const { session_id: id } = await session.api.call('POST', '/v4/cdsl/fetch', { body: identity, kind, signal });
      session.emit('CDSL_OTP_SENT');
      session.go(otp(session, id, identity.pan, () => cdsl(session, { back })));
    },
  };
}

/** The field of a PAN. */
export function panField(value = '', attributes = {}) {
  return field({ name: 'pan', label: 'PAN', maxlength: 10, autocapitalize: 'characters', value: value.toUpperCase(), ...attributes });
}

/** Returns what is missing in the field of a PAN. */
export function missingPAN(/** @type {HTMLInputElement} */ input) {
  if (/^[A-Z]{5}\d{4}[A-Z]$/.test(input.value.trim().toUpperCase())) return undefined;
  return { title: 'Enter your PAN', message: 'Five letters, four digits and a letter.', input };
}

/**
 * The step that asks for the OTP of a session.
 * @returns {Step}
 */
function otp(session, id, pan, restart) {
  const code = field({ name: 'otp', label: 'Code', inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 8, class: 'code',
    hint: 'From the text message of CDSL. It is valid for a few minutes.' });
  const again = el('p', { class: 'hint' }, 'No message? Go back and ask for another code.');
  return {
    name: 'otp', title: 'Enter the code', back: restart, failure: 'CDSL_ERROR',
    body: [code.node, again],
    focus: code.input,
    action: 'Get the statements',
    busy: 'Getting the statements from CDSL…',
    check: () => (/^\d{4,8}$/.test(code.input.value.trim()) ? undefined
      : { title: 'Enter the code', message: 'It has digits only.', input: code.input }),
    run: async (signal) => {
      try {
        const { files } = await session.api.call('POST', `/v4/cdsl/fetch/${encodeURIComponent(id)}/verify`, { body: { otp: code.input.value.trim() }, kind, signal });
        session.emit('CDSL_FILES_RECEIVED', { count: files.length });
        session.go(pick(session, { files, source: 'CDSL_FETCH', method: 'cdsl_fetch', title: 'Choose a statement', password: pan, back: restart }));
      } catch (error) {
        if (error?.details?.status !== 404) throw error;
        session.go(restart());
        session.fail({ ...error, title: 'This code has ended', message: 'It was used, or entered wrongly too often.', remediation: 'Ask for another one.' });
      }
    },
    inputOf: (error) => (error.code === kind ? code.input : undefined),
  };
}
