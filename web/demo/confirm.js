/** The confirmation dialog. */

import { byId } from './dom.js';

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
