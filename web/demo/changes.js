/** What a statement says differently than those before it. */

import { el, isolated } from './dom.js';
import { Decimal, quantity, rupees, signed } from './money.js';
import { count, dateText } from './format.js';

/** @typedef {import('./types.d.ts').Changes} Changes */
/** @typedef {import('./types.d.ts').Change} Change */

/** Returns the day of the statement that most of it is compared with; null if nothing before lists its accounts. */
function comparedWith(/** @type {Changes} */ { accounts }) {
  const days = accounts.filter((account) => account.previous_portfolio_id).map((account) => account.previous_as_of ?? '');
  return days.length > 0 ? days.sort().at(-1) : null;
}

/** Returns a summary in a few words: "+₹38,284.56 since 30 Sept 2026 · 1 new". */
export function changesInShort(/** @type {Changes} */ changes) {
  const since = comparedWith(changes);
  if (since === null) return 'The first statement of these accounts';
  const { change } = changes.value;
  const amount = change === null ? 'Compared with' : `${signed(change)} since`;
  const counts = [['new', 'new'], ['gone', 'gone']].map(([kind, word]) => {
    const n = changes.changes.filter((item) => item.change === kind).length;
    return n > 0 && `${n} ${word}`;
  });
  return [`${amount} ${since ? dateText(since) : 'the one before'}`, ...counts].filter(Boolean).join(' · ');
}

const atFirst = 5; // of each kind; the others on request

/** Returns the list of what has changed. */
export function changesView(/** @type {Changes} */ changes) {
  const since = comparedWith(changes);
  if (since === null) return el('p', { class: 'quiet' }, 'It is the first statement that lists these accounts, so there is nothing to compare it with.');
  const groups = [['new', 'New'], ['gone', 'No longer held'], ['changed', 'Changed']]
    .map(([kind, title]) => group(title, changes.changes.filter(({ change }) => change === kind).sort(bySize)));
  const counts = changes.unchanged > 0 ? ` ${count(changes.unchanged, 'other holding')} ${changes.unchanged === 1 ? 'is' : 'are'} as before.` : '';
  return el('div', { class: 'changes', 'data-testid': 'changes' },
    el('p', { class: 'quiet small' }, `${changesInShort(changes)}.${counts}`), ...groups.filter(Boolean));
}

function group(title, list) {
  if (list.length === 0) return false;
  const rest = list.slice(atFirst);
  return el('div', {},
    el('h3', {}, title, ' ', el('span', { class: 'count' }, String(list.length))),
    el('ul', {}, ...list.slice(0, atFirst).map(entry)),
    rest.length > 0 && el('details', {}, el('summary', {}, `Show ${rest.length} more`), el('ul', {}, ...rest.map(entry))));
}

function entry(/** @type {Change} */ item) {
  const { before, after, change } = item.value;
  const units = [item.units.before, item.units.after];
  const moved = item.change === 'changed' && units[0] !== units[1];
  const amount = item.change === 'new' ? after : item.change === 'gone' ? before : change;
  const negative = Decimal.parse(change)?.negative;
  return el('li', {},
    el('span', { class: 'holding-name' }, isolated(item.name)),
    el('span', { class: item.change === 'changed' ? `number ${negative ? 'down' : 'up'}` : 'number' }, item.change === 'changed' ? signed(amount) : rupees(amount)),
    el('small', {}, moved ? `${quantity(units[0])} → ${quantity(units[1])} units` : `${quantity(units[1] ?? units[0])} units`));
}

/** Orders changes by amount, largest first. */
function bySize(/** @type {Change} */ a, /** @type {Change} */ b) {
  const size = ({ value: { before, after, change } }) => Math.abs(Number(change ?? after ?? before ?? 0));
  return size(b) - size(a);
}
