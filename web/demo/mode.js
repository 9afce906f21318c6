/** The choice of whom the widget calls: this service (gateway) or the parser (direct). */

import { byId, show } from './dom.js';

/** @typedef {import('./types.d.ts').Mode} Mode */

const storageKey = 'demo-mode'; // sessionStorage key of the chosen mode

const texts = {
  gateway: 'The PDF reaches the parser through this service: the statement is verified, and it is saved even if you close this page meanwhile.',
  direct: 'The PDF goes straight to the parser, with a token for its whole account: this service only knows what your browser reports.',
};

/** @type {Mode} */
let mode = 'direct';

/** Returns the mode that the user chose. */
export function chosenMode() {
  return mode;
}

/** Shows the choice among these modes, of which the first is the default. */
export function initMode(/** @type {Mode[]} */ modes) {
  const radios = modes.map((name) => byId(`mode-${name}`));
  const choose = (/** @type {Mode} */ name) => {
    mode = name;
    byId(`mode-${name}`).checked = true;
    byId('mode-text').textContent = texts[name];
  };
  for (const radio of radios) {
    radio.addEventListener('change', () => {
      sessionStorage.setItem(storageKey, radio.value);
      choose(radio.value);
    });
  }
  const stored = sessionStorage.getItem(storageKey);
  choose(modes.includes(stored) ? stored : modes[0]);
  show('mode', modes.length > 1);
}
