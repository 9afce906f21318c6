/** Messages to the user: a result or an error over the foot of the page, and the question before an action. */

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

let stop = () => {};

/** Shows a message and removes the last one. */
export function notify(/** @type {Notice} */ { kind, title, text, small, action, wait = 0 }) {
  clearNotice();
  const button = action && el('button', { type: 'button', 'data-testid': 'notice-action', on: { click: action.run } }, action.label);
  if (button) stop = countDown(button, action.label, wait);
  byId('notices').append(
    el('div', { class: `notice ${kind}`, role: kind === 'bad' ? 'alert' : 'status', 'data-testid': 'notice', 'data-kind': kind },
      el('div', { class: 'notice-text' },
        el('strong', {}, title),
        text && el('span', {}, text),
        small && el('small', {}, small)),
      button || '',
      el('button', { type: 'button', class: 'dismiss', 'aria-label': 'Dismiss this message', on: { click: clearNotice } }, '×')),
  );
}

/** Removes the message. */
export function clearNotice() {
  stop();
  byId('notices').replaceChildren();
}

/**
 * Disables a button for some seconds and shows the rest in its label.
 * @returns {() => void} a function that stops it
 */
export function countDown(/** @type {HTMLElement} */ button, /** @type {string} */ label, /** @type {number} */ seconds) {
  const end = performance.now() + 1000 * seconds; // a page in the background gets few ticks
  const tick = () => {
    const left = Math.ceil((end - performance.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${label} in ${left} s` : label;
    if (left <= 0) clearInterval(timer);
  };
  const timer = setInterval(tick, 250);
  tick();
  return () => clearInterval(timer);
}

/**
 * Asks the user to confirm an action.
 * @param {string} title
 * @param {string} text
 * @param {string} label label of the button that confirms
 * @returns {Promise<boolean>}
 */
export function confirmed(title, text, label) {
  const dialog = byId('confirm');
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  byId('confirm-yes').textContent = label;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
