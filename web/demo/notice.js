/** The message at the top of the page: a result or an error. */

import { byId, el } from './dom.js';

/**
 * @typedef {object} Notice
 * @property {'good' | 'info' | 'busy' | 'bad'} kind
 * @property {string} title
 * @property {string} [text]
 * @property {string} [small] details for support, in small print
 * @property {{label: string, run: () => void}} [action]
 * @property {number} [wait] seconds until the action is enabled
 */

let timer = 0;

/** Shows a message and removes the last one. */
export function notify(/** @type {Notice} */ { kind, title, text, small, action, wait = 0 }) {
  clearNotice();
  const button = action && el('button', { type: 'button', 'data-testid': 'notice-action', on: { click: action.run } }, action.label);
  if (button && wait > 0) countDown(button, action.label, wait);
  byId('notices').append(
    el('div', { class: `notice ${kind}`, role: kind === 'bad' ? 'alert' : 'status', 'data-testid': 'notice', 'data-kind': kind },
      el('div', { class: 'notice-text' },
        el('strong', {}, title),
        text && el('span', {}, text),
        small && el('small', {}, small)),
      button,
      el('button', { type: 'button', class: 'dismiss', 'aria-label': 'Dismiss this message', on: { click: clearNotice } }, '×')),
  );
  byId('notices').scrollIntoView({ block: 'nearest' });
}

/** Removes the message. */
export function clearNotice() {
  clearInterval(timer);
  byId('notices').replaceChildren();
}

/** Disables a button for some seconds and shows the rest in its label. */
function countDown(button, label, seconds) {
  let left = seconds;
  const tick = () => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${label} in ${left} s` : label;
    if (left <= 0) clearInterval(timer);
    left -= 1;
  };
  tick();
  timer = setInterval(tick, 1000);
}
