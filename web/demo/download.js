/** Files that only a signed-in user gets, so that a plain link cannot fetch them. */

import { el } from './dom.js';

/** Hands a file to the browser, which keeps it where it keeps downloads. */
export function keepFile(/** @type {import('./api.js').Download} */ { blob, name }) {
  const url = URL.createObjectURL(blob);
  const link = el('a', { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may read it a little later
}

/**
 * Runs what a button is for, once at a time.
 * @param {HTMLElement} button
 * @param {() => Promise<void>} run
 */
export async function whileBusy(button, run) {
  if (button.getAttribute('aria-busy') === 'true') return;
  button.setAttribute('aria-busy', 'true');
  try {
    await run();
  } finally {
    button.setAttribute('aria-busy', 'false');
  }
}
