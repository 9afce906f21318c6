/** Which state the page is in: welcome, or of a user's page: loading, empty, content, a problem, blocked. */

import { byId, el, show } from './dom.js';
import { countDown } from './notice.js';

/** @typedef {'welcome' | 'loading' | 'empty' | 'content' | 'problem' | 'blocked'} View */

const slowAfter = 4000; // ms

let slow = 0;
let stop = () => {};

/** Shows one state and hides the others. */
export function showView(/** @type {View} */ view) {
  clearTimeout(slow);
  stop();
  const signedIn = view !== 'welcome';
  show('welcome', !signedIn);
  show('home', signedIn);
  show('account', signedIn);
  for (const id of ['loading', 'empty', 'problem', 'blocked']) show(id, id === view);
  show('overview', view === 'content');
  show('statements', view === 'content');
  show('services', view === 'empty' || view === 'content' || view === 'problem');
  show('imports', view !== 'blocked');
  byId('home').setAttribute('aria-busy', String(view === 'loading'));
  if (view !== 'loading') return;
  say('Loading…', 'sr');
  slow = setTimeout(() => say('This takes longer than usual. Still loading…'), slowAfter);
}

function say(text, style) {
  byId('loading-text').replaceChildren(el('span', { class: style }, text));
}

/**
 * Shows why there is nothing to show, and what to do.
 * @param {{title: string, text: string, small?: string, wait?: number}} message wait in seconds until the action is enabled
 * @param {{label: string, run: () => void}} action
 * @param {boolean} alone whether nothing else on the page would work
 */
export function showProblem({ title, text, small, wait = 0 }, action, alone = false) {
  showView('problem');
  if (alone) for (const id of ['imports', 'services']) show(id, false);
  const button = el('button', { type: 'button', 'data-testid': 'problem-action', on: { click: action.run } }, action.label);
  byId('problem').replaceChildren(
    el('h2', { id: 'problem-title' }, title), el('p', { role: 'status' }, text), button, ...(small ? [el('small', {}, small)] : []));
  stop = countDown(button, action.label, wait);
}

/**
 * Says in the header when the browser is offline.
 * @param {() => void} onReturn called when it is online again
 */
export function watchConnection(onReturn) {
  const draw = () => {
    byId('connection').textContent = navigator.onLine ? '' : 'Offline';
  };
  addEventListener('offline', draw);
  addEventListener('online', () => {
    draw();
    onReturn();
  });
  draw();
}
