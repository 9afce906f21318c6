/** How a portfolio came to the service: "Verified" or "Reported", with the explanation. */

import { el } from './dom.js';

/** @typedef {import('./types.d.ts').Summary} Summary */

const explanations = {
  verified: 'This service received this statement from the parser itself, so nobody could have changed it on the way.',
  reported: 'Only your browser says so: this service did not get this statement from the parser itself.',
};

const difference = 'It is not the same as the statement that this service received from the parser within a day.';

/** Returns the label of a portfolio: "Verified" or "Reported". */
export function provenanceName(/** @type {Summary} */ { provenance }) {
  return provenance === 'verified' ? 'Verified' : 'Reported';
}

export const differsName = 'Differs from what the service saw';

/** Returns the explanation of a portfolio's label, in sentences. */
export function explanation(/** @type {Summary} */ { provenance, differs_from_observed: differs }) {
  const text = explanations[provenance] ?? '';
  return differs ? `${text} ${difference}` : text;
}

/** Returns the badges of a portfolio. */
export function provenanceBadges(/** @type {Summary} */ portfolio) {
  const { provenance, differs_from_observed: differs } = portfolio;
  return [
    explained('statement-provenance', provenanceName(portfolio), explanations[provenance] ?? '', provenance),
    differs && explained('differs', differsName, difference, 'differs'),
  ].filter(Boolean);
}

/** Returns the badge of what these accounts add up to. */
export function totalBadge(/** @type {import('./types.d.ts').Account[]} */ accounts) {
  if (accounts.length === 0) return false;
  const verified = accounts.filter(({ provenance }) => provenance === 'verified').length;
  if (verified === accounts.length) return explained('provenance', 'Verified', 'This service received all of it from the parser itself, so nobody could have changed it on the way.', 'verified');
  if (verified === 0) return explained('provenance', 'Reported', 'Only your browser says so: this service got none of it from the parser itself.', 'reported');
  return explained('provenance', `Verified: ${verified} of ${accounts.length} accounts`,
    'This service received those from the parser itself. The others are marked Reported: only your browser says so.', 'partly');
}

/** Returns the mark of a row or an account in a list. */
export function provenanceMark(/** @type {{provenance: Summary['provenance']}} */ { provenance }) {
  const name = provenance === 'verified' ? 'Verified' : 'Reported';
  return el('span', { class: `seen ${provenance}`, title: explanations[provenance] }, el('span', { class: 'seen-word' }, name));
}

/**
 * Returns a badge whose explanation is shown while the pointer is over it or it has the
 * focus, until Escape is pressed. Screen readers read it as the description of the badge.
 */
function explained(id, name, text, kind) {
  const tip = el('span', { role: 'tooltip', id: `about-${id}`, class: 'tip' }, text);
  const badge = el('button', { type: 'button', class: `badge ${kind}`, 'aria-describedby': `about-${id}`, 'data-testid': id }, name);
  const box = el('span', { class: 'explained', on: {
    keydown: (event) => event.key === 'Escape' && box.classList.add('dismissed'),
    mouseleave: () => box.classList.remove('dismissed'),
    focusout: () => box.classList.remove('dismissed'),
  } }, badge, tip);
  return box;
}
