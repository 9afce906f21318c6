/** The view of one saved statement. */

import { allocation } from './chart.js';
import { el, isolated } from './dom.js';
import { TransactionList } from './transactions.js';
import { rupees } from './money.js';
import { HoldingsTable } from './table.js';
import { count, momentText, ofOther, periodText, sourceName } from './format.js';
import { explanation, provenanceBadges } from './provenance.js';

/** @typedef {import('./api.js').Portfolio} Portfolio */

/**
 * The actions for the displayed statement.
 * @typedef {object} Actions
 * @property {() => void} remove
 * @property {(button: HTMLElement) => void} download downloads the holdings as CSV
 * @property {import('./transactions.js').ReadPage} transactions
 * @property {(error: Error, retry: () => void) => void} failed called when transactions cannot be read
 */

/**
 * Returns the elements that show a statement.
 * @param {Portfolio} portfolio
 * @param {Actions} actions
 * @returns {{overview: HTMLElement[], holdings: HTMLElement[]}}
 */
export function portfolioView(portfolio, actions) {
  const overview = [summary(portfolio, actions.remove), ...issues(portfolio)];
  if (portfolio.rows.length === 0) {
    return { overview, holdings: [card('Holdings', el('p', { class: 'quiet' }, 'This statement has no holdings.'))] };
  }
  const table = new HoldingsTable(portfolio.rows);
  const csv = el('button', { type: 'button', 'data-testid': 'download-csv', on: { click: () => actions.download(csv) } }, 'Download CSV');
  const holdings = card('Holdings', table.element);
  holdings.firstChild.replaceWith(el('div', { class: 'card-head' }, el('h2', {}, 'Holdings'), csv));
  const showClass = (name) => {
    table.showOnly(name);
    holdings.focus({ preventScroll: true });
    holdings.scrollIntoView({ block: 'start' });
  };
  const cards = [holdings];
  if (portfolio.transactions > 0) {
    const list = new TransactionList(portfolio.rows, actions.transactions, actions.failed);
    cards.push(card('Transactions', el('p', { class: 'quiet small' }, `${count(portfolio.transactions, 'transaction')} in this statement.`), list.element));
  }
  return { overview: [...overview, card('Allocation', allocation(portfolio.rows, showClass))], holdings: cards };
}

function card(title, ...content) {
  return el('section', { class: 'card', 'aria-label': title, tabindex: -1 }, el('h2', {}, title), ...content);
}

/** The card with the total value and the facts of the statement. */
function summary(portfolio, onDelete) {
  return el('section', { class: 'summary', 'aria-label': 'Total', 'data-testid': 'portfolio', 'data-id': portfolio.id },
    el('div', { class: 'summary-head' },
      el('p', { class: 'summary-label' }, 'Total value'),
      el('div', { class: 'badges' },
        el('span', { class: 'badge', title: statusText(portfolio), 'data-testid': 'status' }, portfolio.active ? 'Active' : 'History'),
        ofOther(portfolio) && el('span', { class: 'badge', title: 'Its PAN differs from the PAN of most of your statements, so it is stored separately.', 'data-testid': 'owner' },
          'Another person’s PAN'),
        ...provenanceBadges(portfolio))),
    el('p', { class: 'total', 'data-testid': 'total' }, rupees(portfolio.total_value)),
    el('dl', { class: 'facts' },
      fact('Investor', isolated(portfolio.investor?.name || missing(portfolio)), 'investor'),
      fact('PAN', isolated(portfolio.investor?.pan_masked || missing(portfolio)), 'pan'),
      fact('Source', sourceName(portfolio.cas_type), 'source'),
      fact('Period', periodText(portfolio.period), 'period')),
    el('div', { class: 'summary-foot' },
      el('p', {}, `${statusText(portfolio)} ${explanation(portfolio)} Saved ${momentText(portfolio.saved_at)}.`),
      el('button', { type: 'button', class: 'on-dark', 'data-testid': 'delete', on: { click: onDelete } }, 'Delete statement')));
}

function statusText({ active }) {
  return active ? 'This is the current statement of this person.' : 'Another statement of this person is the current one.';
}

function missing({ readable }) {
  return readable ? 'Not given' : 'Locked';
}

function fact(name, value, id) {
  return el('div', {}, el('dt', {}, name), el('dd', { 'data-testid': id }, value));
}

/** Notices about differences, rows that were not saved, warnings, and a locked statement. */
function issues({ readable, rejected = [], warnings = [], received_rows: received, differences = [] }) {
  return [
    differences.length > 0 && issueList('bad', `${count(differences.length, 'difference')} from what the service saw`,
      'Do not rely on these figures: import the original PDF again. They differ here:',
      differences.map((pointer) => ({ detail: '', pointer })), 'differences'),
    !readable && issueList('bad', 'Part of this statement is locked',
      'The investor, the accounts and the original cannot be decrypted at the moment. Please contact support.', [], 'locked'),
    rejected?.length > 0 && issueList(rejected.every(isEmptyRow) ? 'info' : 'bad', `${count(rejected.length, 'row')} of ${received} could not be saved`,
      'They are missing from the holdings and totals below. The original statement is stored in full.', rejected, 'rejected'),
    warnings?.length > 0 && issueList('info', `${count(warnings.length, 'note')} about this statement`, '', warnings, 'warnings'),
  ].filter(Boolean);
}

/** Empty rows occur in some statements and are not a loss of data. */
const isEmptyRow = (issue) => issue.code === 'empty_row';

const maxIssues = 50; // listed; a statement may have thousands

function issueList(kind, title, text, list, id) {
  return el('details', { class: `notice ${kind}`, open: list.length < 4, 'data-testid': id },
    el('summary', {}, title),
    text && el('p', {}, text),
    list.length > 0 && el('ul', {}, ...list.slice(0, maxIssues).map((issue) =>
      el('li', {}, issue.detail && isolated(issue.detail), issue.pointer && el('code', {}, isolated(issue.pointer))))),
    list.length > maxIssues && el('p', {}, `And ${(list.length - maxIssues).toLocaleString('en-IN')} more.`));
}
