/** The user's mailbox: consent at the mail provider, then the statements in it. */

import { el } from './dom.js';
import { widgetError } from './errors.js';
import { pick } from './pick.js';

/** @typedef {import('./dialog.js').Dialog} Dialog */
/** @typedef {import('./dialog.js').Step} Step */

const kind = 'INBOX_ERROR';
const providers = { gmail: 'Gmail', outlook: 'Outlook', zoho: 'Zoho Mail' };

/**
 * Returns the step that asks for the mail provider.
 * @param {Dialog} session
 * @param {{back: () => Step}} options
 * @returns {Step}
 */
export function inbox(session, { back }) {
  const again = () => inbox(session, { back });
  const buttons = Object.entries(providers).map(([provider, name]) => el('li', {},
    el('button', { type: 'button', testid: `provider-${provider}`, on: { click: () => session.go(consent(session, provider, again)) } },
      el('span', {}, el('strong', {}, name)))));
  return {
    name: 'inbox', title: 'Find it in your mailbox', back, failure: kind,
    subtitle: 'You allow it at your mail provider. Only mails with statements are read.',
    body: [el('h3', {}, 'Where is your mail?'), el('ul', { class: 'ways' }, ...buttons)],
    focus: buttons[0].firstChild,
  };
}

/**
 * The step that waits for the consent, which the user gives in another window.
 * @returns {Step}
 */
function consent(session, provider, again) {
  // Opened in the click that leads here: later, the browser would block it.
  const popup = open('', 'portfolio-connect-inbox', 'popup,width=520,height=680');
  if (popup) popup.opener = null; // the provider's page need not reach this one
  const place = el('div', {});
  const stop = (signal, error) => {
    if (signal.aborted) return;
    popup?.close();
    session.go(again());
    session.fail(error);
  };
  return {
    name: 'consent', title: `Allow it at ${providers[provider]}`, back: again, failure: kind,
    status: 'Waiting for your consent in the other window…',
    body: [place],
    start: (signal) => {
      signal.addEventListener('abort', () => popup?.close());
      connect(session, provider, popup, place, signal)
        .then((token) => list(session, token, again, signal))
        .then((step) => session.go(step))
        .catch((error) => stop(signal, error));
    },
  };
}

/** Sends the window to the mail provider, and returns the inbox token that comes back. */
async function connect({ api, config, emit }, provider, popup, place, signal) {
  const state = `pc_${crypto.getRandomValues(new Uint32Array(4)).join('')}`;
  const body = { redirect_uri: config.inbox.redirectUri, state, provider };
  emit('INBOX_CONNECT_STARTED', { provider });
  const { oauth_url: url } = await api.call('POST', '/v4/inbox/connect', { body, kind, signal });
  if (popup && !popup.closed) popup.location.href = url;
  place.replaceChildren(el('p', { class: 'links' },
    el('a', { href: url, target: 'portfolio-connect-inbox', testid: 'consent' }, popup ? 'Show the window again' : 'Open the sign-in page')));
  emit('INBOX_HANDOFF', { provider });
  const answer = await callback(state, signal);
  if (answer.error || !answer.inbox_token) {
    const refused = answer.error === 'access_denied';
    throw widgetError(kind, {
      title: refused ? 'You did not allow it' : 'The mailbox could not be connected',
      message: refused ? 'Your mailbox was not opened.' : 'The mail provider reported a problem.',
    });
  }
  emit('INBOX_CONNECTED', { provider });
  return answer.inbox_token;
}

/** Returns what handleInboxCallback of the page at redirectUri reports about this state. */
function callback(state, signal) {
  const channel = new BroadcastChannel('portfolio-connect-inbox');
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    channel.addEventListener('message', ({ data }) => {
      if (data?.state !== state) return; // of another tab
      channel.postMessage({ received: state });
      resolve(data);
    });
  }).finally(() => channel.close());
}

/** Searches the mailbox, and returns the step with what is in it. */
async function list(session, token, again, signal) {
  const { api, config: { inbox: { casTypes: cas_types, startDate: start_date, endDate: end_date } } } = session;
  session.say('Looking for statements…');
  const headers = { 'x-inbox-token': token };
  const { files } = await api.call('POST', '/v4/inbox/cas', { body: { cas_types, start_date, end_date }, headers, kind, signal });
  session.emit('INBOX_FILES_LISTED', { count: files.length });
  if (!files.length) {
    throw widgetError(kind, {
      title: 'No statement found', message: 'There is none in the mails of this mailbox that were searched.',
      remediation: 'Try another mailbox, or choose another way.',
    });
  }
  return pick(session, { files, source: 'INBOX', method: 'inbox', title: 'Choose a statement', back: again });
}
