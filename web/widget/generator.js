/** A statement of all mutual funds, which the registrars mail to the investor on request. */

import { missingPAN, panField } from './cdsl.js';
import { el, field, passwordField } from './dom.js';
import { forward } from './mail.js';

/** @typedef {import('./dialog.js').Dialog} Dialog */
/** @typedef {import('./dialog.js').Step} Step */

const firstDay = '1990-01-01'; // before any fund that is covered

/**
 * Returns the step that asks where to send the statement.
 * @param {Dialog} session
 * @param {{back: () => Step}} options
 * @returns {Step}
 */
export function generator(session, { back }) {
  const { prefill, generator: preset } = session.config;
  const email = field({ name: 'email', label: 'Email address', type: 'email', autocomplete: 'email', value: prefill.email,
    hint: 'The one that your mutual funds know.' });
  const pan = panField(prefill.pan, { hint: 'Optional: for the funds of this PAN only.' });
  const password = passwordField(preset.password, { label: 'A password for the PDF', hint: 'Choose one. You need it when the statement has arrived.' });
  return {
    name: 'generator', title: 'Request it by email', back, failure: 'GENERATOR_ERROR',
    subtitle: 'CAMS and KFintech mail a statement of all your mutual funds.',
    body: [email.node, pan.node, preset.password ? undefined : password.node],
    focus: email.input,
    action: 'Request statement',
    busy: 'Requesting the statement…',
    check: () => missing(email.input, pan.input, password.input),
    run: async (signal) => {
      const body = {
        email: email.input.value.trim(), password: password.input.value,
        from_date: preset.fromDate ?? firstDay, to_date: preset.toDate ?? new Date().toISOString().slice(0, 10),
        ...(pan.input.value.trim() && { pan_no: pan.input.value.trim().toUpperCase() }),
      };
      session.emit('GENERATOR_STARTED');
      await session.api.call('POST', '/v4/generate', { body, kind: 'GENERATOR_ERROR', signal });
      session.emit('GENERATOR_SUCCESS');
      session.go(mailed(session, body, back));
    },
    inputOf: ({ code }) => (code === 'GENERATOR_ERROR' ? email.input : undefined),
  };
}

function missing(email, pan, password) {
  if (!email.value.trim() || !email.validity.valid) return { title: 'Enter your email address', message: 'The statement is sent there.', input: email };
  if (pan.value.trim() && missingPAN(pan)) return missingPAN(pan);
  if (!password.value) return { title: 'Choose a password', message: 'The PDF is locked with it.', input: password };
  return undefined;
}

/**
 * The step that says that a mail is on its way, and what to do with it.
 * @returns {Step}
 */
function mailed(session, { email, password }, home) {
  const forwards = session.config.enableInboundEmail;
  return {
    name: 'mailed', title: 'Check your mail', back: home,
    body: [el('ol', { class: 'steps' },
      el('li', {}, el('div', {}, 'A mail with your statement is on its way to ', el('strong', {}, el('bdi', {}, email)), '. It takes a few minutes.')),
      el('li', {}, el('div', {}, forwards ? 'Forward it to an address that you get in the next step.' : 'Save the PDF in it, and upload it here.')),
      el('li', {}, el('div', {}, 'It opens with the password that you have just chosen.')))],
    action: forwards ? 'Continue' : 'Upload the PDF',
    run: async () => {
      session.emit('GENERATOR_HANDOFF', { to: forwards ? 'inbound_email' : 'upload' });
      session.go(forwards ? forward(session, { back: home, password, method: 'generator' }) : home());
    },
  };
}
