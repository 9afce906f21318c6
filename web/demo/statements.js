/** The list of saved statements. */

import { at, el } from './dom.js';
import { rupees } from './money.js';
import { dayText, periodText, sourceName } from './wording.js';

/** @typedef {import('./api.js').Summary} Summary */

/**
 * Draws the list.
 * @param {Summary[]} list newest first
 * @param {string} chosen the id of the one that is shown
 * @param {(id: string) => void} onChoose
 */
export function drawStatements(list, chosen, onChoose) {
  at('statement-count').textContent = list.length > 0 ? String(list.length) : '';
  at('statement-list').replaceChildren(...list.map((item) => entry(item, item.id === chosen, onChoose)));
}

function entry(item, chosen, onChoose) {
  return el('li', {},
    el('button', {
      type: 'button', class: 'statement', 'aria-current': chosen && 'true', 'data-testid': 'statement', 'data-id': item.id,
      on: { click: () => onChoose(item.id) },
    },
    el('span', { class: 'statement-source' }, sourceName(item.cas_type), item.active && el('span', { class: 'mark', 'data-testid': 'active' }, 'Active')),
    el('span', { class: 'statement-total' }, rupees(item.total_value)),
    el('small', {}, periodText(item.period)),
    el('small', {}, `Saved ${dayText(item.saved_at)}`),
    item.owner > 1 && el('small', { class: 'flag', 'data-testid': 'other-owner' }, 'Another person’s PAN'),
    !item.readable && el('small', { class: 'flag' }, 'Locked')));
}
