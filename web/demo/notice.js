/** The one message above the page: what was done, or what went wrong. */

import { at, el } from './dom.js';

/**
 * @typedef {object} Notice
 * @property {'good' | 'info' | 'busy' | 'bad'} kind
 * @property {string} title
 * @property {string} [text]
 * @property {string} [small] small print, for whoever is asked for help
 * @property {{label: string, run: () => void}} [action]
 * @property {number} [wait] seconds until the action may be taken
 */

let ticking = 0;

/** Shows a message in place of the last one. */
export function notify(/** @type {Notice} */ { kind, title, text, small, action, wait = 0 }) {
  clearNotice();
  const button = action && el('button', { type: 'button', 'data-testid': 'notice-action', on: { click: action.run } }, action.label);
  if (button && wait > 0) countDown(button, action.label, wait);
  at('notices').append(
    el('div', { class: `notice ${kind}`, role: kind === 'bad' ? 'alert' : 'status', 'data-testid': 'notice', 'data-kind': kind },
      el('div', { class: 'notice-text' },
        el('strong', {}, title),
        text && el('span', {}, text),
        small && el('small', {}, small)),
      button,
      el('button', { type: 'button', class: 'dismiss', 'aria-label': 'Dismiss this message', on: { click: clearNotice } }, '×')),
  );
  at('notices').scrollIntoView({ block: 'nearest' });
}

/** Takes the message away. */
export function clearNotice() {
  clearInterval(ticking);
  at('notices').replaceChildren();
}

/** Holds a button back until the broker will listen again. */
function countDown(button, label, seconds) {
  let left = seconds;
  const tick = () => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${label} in ${left} s` : label;
    if (left <= 0) clearInterval(ticking);
    left -= 1;
  };
  tick();
  ticking = setInterval(tick, 1000);
}
