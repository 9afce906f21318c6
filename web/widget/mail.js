/** A forwarding address, and the wait for what is sent to it. */

import { el } from './dom.js';
import { widgetError } from './errors.js';
import { pick } from './pick.js';

/** @typedef {import('./dialog.js').Dialog} Dialog */
/** @typedef {import('./dialog.js').Step} Step */

const kind = 'INBOUND_EMAIL_ERROR';
const reuse = 25 * 60_000; // ms; an address without a callback lives 30 minutes

/** @type {{credential: string, base: string, made: number, address: Address} | undefined} the last one made on this page */
let last;

/** @typedef {{id: string, email: string}} Address */

/**
 * Returns the step that shows the address and waits.
 * @param {Dialog} session
 * @param {{back: () => Step, password?: string, method?: string}} options
 * @returns {Step}
 */
export function forward(session, { back, password, method = 'inbound_email' }) {
  const place = el('div', { class: 'address' }, el('p', { class: 'quiet' }, 'Making an address…'));
  const retry = el('p', { class: 'retry' });
  const next = (/** @type {import('./pick.js').Found[]} */ files) =>
    pick(session, { files, source: 'INBOUND_EMAIL', method, title: 'Your mail has arrived', password, back, imported: forget });
  return {
    name: 'forward', title: 'Forward the email', back, failure: kind,
    body: [el('ol', { class: 'steps' },
      el('li', {}, el('div', {}, 'Open the mail with your statement.')),
      el('li', {}, el('div', {}, 'Forward it, with the PDF, to', place)),
      el('li', {}, el('div', {}, 'Keep this open: the next step follows by itself.'))), retry],
    start: (signal) => {
      wait(session, place, signal).then((files) => session.go(next(files))).catch((error) => {
        if (signal.aborted) return;
        session.say('');
        if (error?.details?.status) forget(); // the address may have expired; without an answer, mail may still come
        place.querySelector('p')?.remove(); // no address is being made
        retry.append(el('button', { type: 'button', testid: 'again', on: { click: () => session.go(forward(session, { back, password, method })) } }, 'Wait again'));
        session.fail(error);
      });
    },
  };
}

function forget() {
  last = undefined;
}

/** Shows the address and returns the files that arrive at it. */
async function wait(session, place, signal) {
  const { pollIntervalMs, sessionTimeoutMs } = session.config.inboundEmail;
  const address = await addressOf(session, signal);
  showAddress(session, place, address.email);
  session.say('Waiting for your mail…');
  session.emit('INBOUND_EMAIL_WAITING', { inbound_email_id: address.id });
  for (const end = performance.now() + sessionTimeoutMs; performance.now() < end; await pause(pollIntervalMs, signal)) {
    const { files } = await poll(session, address.id, signal);
    if (files?.length) {
      session.emit('INBOUND_EMAIL_RECEIVED', { count: files.length });
      return files;
    }
  }
  session.emit('INBOUND_EMAIL_TIMEOUT');
  throw widgetError(kind, {
    title: 'No mail has arrived', message: 'Nothing was forwarded to the address in time.',
    remediation: 'Wait again, or save the PDF and upload it.',
  });
}

/** Asks for files. What may pass is the same as no file: the next poll asks again. */
async function poll(session, id, signal) {
  try {
    return await session.api.call('GET', `/v4/inbound-email/${encodeURIComponent(id)}/files?limit=20`, { kind, signal });
  } catch (error) {
    if (error?.code === 'NETWORK' || error?.code === 'RATE_LIMITED') return {};
    throw error;
  }
}

/** Returns the app's address, the last one of this user, or a new one. */
async function addressOf(session, signal) {
  const { api, config: { inboundEmail } } = session;
  if (inboundEmail.existingId) {
    const { existingId: id, email } = inboundEmail;
    return { id, email: email ?? (await api.call('GET', `/v4/inbound-email/${encodeURIComponent(id)}`, { kind, signal })).email };
  }
  if (last?.credential === api.credential && last.base === api.base && performance.now() - last.made < reuse) return last.address;
  const { callbackUrl: callback_url, allowedSources: allowed_sources, reference, metadata } = inboundEmail;
  const made = await api.call('POST', '/v4/inbound-email', { body: { callback_url, allowed_sources, reference, metadata }, kind, signal });
  session.emit('INBOUND_EMAIL_CREATED', { inbound_email_id: made.inbound_email_id });
  const address = { id: made.inbound_email_id, email: made.email };
  last = { credential: api.credential, base: api.base, made: performance.now(), address };
  return address;
}

function showAddress(session, place, email) {
  const copy = el('button', { type: 'button', testid: 'copy', on: {
    click: async () => {
      try {
        await navigator.clipboard.writeText(email);
        session.say('Address copied. Waiting for your mail…');
      } catch {
        session.say('Select the address to copy it. Waiting for your mail…');
      }
    },
  } }, 'Copy');
  place.replaceChildren(el('output', { testid: 'address', 'aria-label': 'Forwarding address' }, email), copy);
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
