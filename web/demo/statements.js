/** The list of saved statements. */

import { byId, el, isolated } from './dom.js';
import { rupees } from './money.js';
import { dayText, ofOther, periodText, sourceName } from './format.js';
import { differsName, explanation, provenanceName } from './provenance.js';

/** @typedef {import('./api.js').Summary} Summary */

/**
 * Draws the list.
 * @param {Summary[]} list newest first
 * @param {string} selected id of the statement on display
 * @param {(id: string) => void} onSelect
 */
export function drawStatements(list, selected, onSelect) {
  byId('statement-count').textContent = list.length > 0 ? String(list.length) : '';
  byId('statement-list').replaceChildren(...list.map((item) => entry(item, item.id === selected, onSelect)));
}

function entry(item, selected, onSelect) {
  const about = `about-${item.id}`;
  return el('li', {},
    el('span', { id: about, hidden: true }, explanation(item)),
    el('button', {
      type: 'button', class: 'statement', 'aria-expanded': String(selected), 'aria-current': selected && 'true', 'aria-describedby': about, 'data-testid': 'statement', 'data-id': item.id,
      on: { click: () => onSelect(item.id) },
    },
    el('span', { class: 'statement-source' }, sourceName(item.cas_type), item.active && el('span', { class: 'active-tag', 'data-testid': 'active' }, 'Active')),
    el('span', { class: 'statement-total' }, item.readable ? rupees(item.total_value) : '–'),
    el('small', {}, periodText(item.period)),
    el('small', {}, `Saved ${dayText(item.saved_at)}`),
    el('small', { class: `seen ${item.provenance}`, title: explanation(item), 'data-testid': 'seen' }, provenanceName(item)),
    el('small', {}, isolated(item.investor?.name ?? 'No name given')),
    item.differs_from_observed && el('small', { class: 'flag', 'data-testid': 'seen-differs' }, differsName),
    ofOther(item) && el('small', { class: 'other', 'data-testid': 'other-owner' }, 'Another person'),
    !item.readable && el('small', { class: 'flag' }, 'Locked')));
}
