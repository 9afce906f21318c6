/** Downloads of files that need the user's JWT, which a plain link cannot send. */

import { el } from './dom.js';

/** Passes a file to the browser as a download. */
export function saveFile(/** @type {import('./types.d.ts').Download} */ { blob, name }) {
  const url = URL.createObjectURL(blob);
  const link = el('a', { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may read it later
}

/**
 * Runs the action of a button, unless it is already running.
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
