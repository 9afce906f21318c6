/** A question that is answered before something is lost. */

import { at } from './dom.js';

/**
 * @param {string} title
 * @param {string} text
 * @param {string} yes the label of the button that goes on
 * @returns {Promise<boolean>}
 */
export function confirmed(title, text, yes) {
  const dialog = at('confirm');
  at('confirm-title').textContent = title;
  at('confirm-text').textContent = text;
  at('confirm-yes').textContent = yes;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
