/** The view of one saved statement. */

import { allocation } from './chart.js';
import { el, said } from './dom.js';
import { Ledger } from './ledger.js';
import { rupees } from './money.js';
import { HoldingsTable } from './table.js';
import { count, momentText, periodText, sourceName } from './wording.js';

/** @typedef {import('./api.js').Portfolio} Portfolio */

/**
 * What can be done with the statement that is shown.
 * @typedef {object} Deeds
 * @property {() => void} remove
 * @property {(button: HTMLElement) => void} download the holdings as a table
 * @property {import('./ledger.js').Read} transactions
 * @property {(error: Error, again: () => void) => void} failed to read transactions
 */

const provenances = {
  reported: ['Reported by browser', 'The browser handed this statement in; the broker did not see the parser’s own answer.'],
  verified: ['Verified', 'The broker itself saw the parser give this result.'],
};

/**
 * @param {Portfolio} portfolio
 * @param {Deeds} deeds
 * @returns {{overview: HTMLElement[], holdings: HTMLElement[]}}
 */
export function portfolioView(portfolio, deeds) {
  const overview = [worth(portfolio, deeds.remove), ...problems(portfolio)];
  if (portfolio.rows.length === 0) {
    return { overview, holdings: [card('Holdings', el('p', { class: 'quiet' }, 'This statement has no holdings.'))] };
  }
  const table = new HoldingsTable(portfolio.rows);
  const csv = el('button', { type: 'button', 'data-testid': 'download-csv', on: { click: () => deeds.download(csv) } }, 'Download CSV');
  const holdings = card('Holdings', table.element);
  holdings.firstChild.replaceWith(el('div', { class: 'card-head' }, el('h2', {}, 'Holdings'), csv));
  const pick = (name) => {
    table.only(name);
    holdings.focus({ preventScroll: true });
    holdings.scrollIntoView({ block: 'start' });
  };
  const below = [holdings];
  if (portfolio.transactions > 0) {
    const ledger = new Ledger(portfolio.rows, deeds.transactions, deeds.failed);
    below.push(card('Transactions', el('p', { class: 'quiet small' }, `${count(portfolio.transactions, 'transaction')} in this statement.`), ledger.element));
  }
  return { overview: [...overview, card('Allocation', allocation(portfolio.rows, pick))], holdings: below };
}

function card(title, ...content) {
  return el('section', { class: 'card', 'aria-label': title, tabindex: -1 }, el('h2', {}, title), ...content);
}

/** What the statement is and what it is worth. */
function worth(portfolio, onDelete) {
  const [badge, meaning] = provenances[portfolio.provenance] ?? [portfolio.provenance, ''];
  return el('section', { class: 'worth', 'aria-label': 'Total', 'data-testid': 'portfolio', 'data-id': portfolio.id },
    el('div', { class: 'worth-head' },
      el('p', { class: 'worth-label' }, 'Total value'),
      el('p', { class: 'badges' },
        el('span', { class: 'badge', title: standing(portfolio), 'data-testid': 'standing' }, portfolio.active ? 'Active' : 'History'),
        portfolio.owner > 1 && el('span', { class: 'badge', title: 'Its PAN contradicts that of your first statements, so it is kept apart.', 'data-testid': 'owner' },
          'Another person’s PAN'),
        el('span', { class: 'badge', title: meaning, 'data-testid': 'provenance' }, badge))),
    el('p', { class: 'total', 'data-testid': 'total' }, rupees(portfolio.total_value)),
    el('dl', { class: 'facts' },
      fact('Investor', said(portfolio.investor?.name || missing(portfolio)), 'investor'),
      fact('PAN', said(portfolio.investor?.pan_masked || missing(portfolio)), 'pan'),
      fact('Source', sourceName(portfolio.cas_type), 'source'),
      fact('Period', periodText(portfolio.period), 'period')),
    el('div', { class: 'worth-foot' },
      el('p', {}, `${standing(portfolio)} ${meaning} Saved ${momentText(portfolio.saved_at)}.`),
      el('button', { type: 'button', class: 'on-dark', 'data-testid': 'delete', on: { click: onDelete } }, 'Delete statement')));
}

function standing({ active }) {
  return active ? 'Of this person’s statements this is the one that counts.' : 'Another statement of this person counts instead; this one is history.';
}

function missing({ readable }) {
  return readable ? 'Not given' : 'Locked';
}

function fact(name, value, id) {
  return el('div', {}, el('dt', {}, name), el('dd', { 'data-testid': id }, value));
}

/** What the broker could not take, and what struck it. */
function problems({ readable, rejected = [], warnings = [], received_rows: received }) {
  return [
    !readable && places('bad', 'Part of this statement is locked',
      'The broker lacks the key that the investor, the accounts and the original are sealed under; its operator can put it back.', [], 'locked'),
    rejected?.length > 0 && places(rejected.every(empty) ? 'info' : 'bad', `${count(rejected.length, 'row')} of ${received} could not be saved`,
      'They are missing below and from what adds up there; the statement as it came is kept whole.', rejected, 'rejected'),
    warnings?.length > 0 && places('info', `${count(warnings.length, 'thing')} to know about this statement`, '', warnings, 'warnings'),
  ].filter(Boolean);
}

/** A row that says nothing, as some statements have, is no loss. */
const empty = (place) => place.code === 'empty_row';

const manyPlaces = 50; // that are listed; a statement may have thousands

function places(kind, title, text, list, id) {
  return el('details', { class: `notice ${kind}`, open: list.length < 4, 'data-testid': id },
    el('summary', {}, title),
    text && el('p', {}, text),
    list.length > 0 && el('ul', {}, ...list.slice(0, manyPlaces).map((place) =>
      el('li', {}, said(place.detail), place.pointer && el('code', {}, said(place.pointer))))),
    list.length > manyPlaces && el('p', {}, `And ${(list.length - manyPlaces).toLocaleString('en-IN')} more.`));
}
