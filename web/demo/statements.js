/** The history of statements, each with what it changed. */

import { byId, el, isolated, show } from './dom.js';
import { rupees } from './money.js';
import { dayText, ofOther, periodText, sourceName } from './format.js';
import { differsName, explanation, provenanceName } from './provenance.js';

/** @typedef {import('./types.d.ts').Summary} Summary */

/** @type {Map<string, string>} what each statement changed, in a few words, by its id */
const changed = new Map();

/** Forgets what was read of statements, as another user signs in or statements have come or gone. */
export function forgetChanges() {
  changed.clear();
}

/**
 * Draws the list.
 * @param {Summary[]} list newest first
 * @param {string} selected id of the statement on display
 * @param {(id: string) => void} onSelect
 * @param {(id: string) => Promise<string>} readChange returns what it changed in a few words; called when an entry is seen
 */
export function drawStatements(list, selected, onSelect, readChange) {
  seen.disconnect();
  readers = readChange;
  show('statement-list', list.length > 0);
  byId('statement-count').textContent = list.length > 0 ? String(list.length) : '';
  byId('statement-list').replaceChildren(...list.map((item) => entry(item, item.id === selected, onSelect)));
  for (const line of byId('statement-list').querySelectorAll('[data-change]:empty')) seen.observe(line);
}

/** @type {(id: string) => Promise<string>} */
let readers;

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    const id = target.dataset.change;
    readers(id).then((text) => {
      changed.set(id, text);
      target.textContent = text;
    }, () => {}); // the statement itself says why, when it is opened
  }
});

function entry(item, selected, onSelect) {
  const about = `about-${item.id}`;
  return el('li', {},
    el('span', { id: about, hidden: true }, explanation(item)),
    el('button', {
      type: 'button', class: 'statement', 'aria-expanded': String(selected), 'aria-current': selected && 'true', 'aria-describedby': about, 'data-testid': 'statement', 'data-id': item.id,
      on: { click: () => onSelect(item.id) },
    },
    el('span', { class: 'statement-source' }, sourceName(item.cas_type),
      item.active && el('span', { class: 'tag', 'data-testid': 'active' }, 'Active'),
      ofOther(item) && el('span', { class: 'tag plain', 'data-testid': 'other-owner' }, 'Another person'),
      item.differs_from_observed && el('span', { class: 'tag bad', 'data-testid': 'seen-differs' }, differsName),
      !item.readable && el('span', { class: 'tag bad' }, 'Locked')),
    el('span', { class: 'statement-total' }, item.readable ? rupees(item.total_value) : '–'),
    el('small', { class: 'statement-facts' }, el('span', {}, periodText(item.period)), ' ', el('span', {}, isolated(item.investor?.name ?? 'No name given')), ' ',
      el('span', { class: 'when' }, `saved ${dayText(item.saved_at)}`), ' ',
      el('span', { class: `seen ${item.provenance}`, title: explanation(item), 'data-testid': 'seen' }, provenanceName(item))),
    el('small', { class: 'statement-change', 'data-change': item.id, 'data-testid': 'change' }, changed.get(item.id))));
}
