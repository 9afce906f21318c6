/** The view of one saved statement. */

import { allocate, allocation } from './chart.js';
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
 * @property {() => void} close
 * @property {(button: HTMLElement) => void} download downloads the holdings as CSV
 * @property {import('./transactions.js').ReadPage} transactions
 * @property {(error: Error, retry: () => void) => void} failed called when transactions cannot be read
 */

const prefix = 'statement-'; // of the ids in the view

/**
 * Returns the elements that show a statement.
 * @param {Portfolio} portfolio
 * @param {Actions} actions
 * @returns {HTMLElement[]}
 */
export function portfolioView(portfolio, actions) {
  const overview = [summary(portfolio, actions), ...issues(portfolio)];
  if (portfolio.rows.length === 0) {
    return [...overview, card('Holdings', el('p', { class: 'quiet' }, 'This statement has no holdings.'))];
  }
  const { element, showClass } = holdingsCard('Holdings of this statement', portfolio.rows, prefix, actions.download);
  const cards = [...overview, card('Allocation', allocation(allocate(portfolio.rows), showClass)), element];
  if (portfolio.transactions > 0) {
    const list = new TransactionList(portfolio.rows, actions.transactions, actions.failed);
    cards.push(card('Transactions', el('p', { class: 'quiet small' }, `${count(portfolio.transactions, 'transaction')} in this statement.`), list.element));
  }
  return cards;
}

/**
 * Returns a card with a table of holdings, and a function that shows one class in it.
 * @param {string} title
 * @param {import('./api.js').Holding[]} rows
 * @param {string} ids prefix of the ids in it
 * @param {(button: HTMLElement) => void} download
 */
export function holdingsCard(title, rows, ids, download) {
  const table = new HoldingsTable(rows, ids);
  const csv = el('button', { type: 'button', 'data-testid': `${ids}download-csv`, on: { click: () => download(csv) } }, 'Download CSV');
  const element = card(title, table.element);
  element.firstChild.replaceWith(el('div', { class: 'card-head' }, el('h2', {}, title), csv));
  const showClass = (/** @type {string} */ name) => {
    table.showOnly(name);
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: 'start' });
  };
  return { element, showClass };
}

/** Returns a card with a title. */
export function card(/** @type {string} */ title, ...content) {
  return el('section', { class: 'card', 'aria-label': title, tabindex: -1 }, el('h2', {}, title), ...content);
}

/** The card with the total value and the facts of the statement. */
function summary(portfolio, { remove, close }) {
  return el('section', { class: 'summary', 'aria-label': 'Statement', tabindex: -1, 'data-testid': 'portfolio', 'data-id': portfolio.id },
    el('div', { class: 'summary-head' },
      el('p', { class: 'summary-label' }, `Total of this statement`),
      el('div', { class: 'badges' },
        el('span', { class: 'badge', title: statusText(portfolio), 'data-testid': 'status' }, portfolio.active ? 'Active' : 'History'),
        ofOther(portfolio) && el('span', { class: 'badge', title: otherPerson(portfolio), 'data-testid': 'owner' }, 'Another person'),
        ...provenanceBadges(portfolio))),
    el('p', { class: 'total', 'data-testid': 'statement-total' }, rupees(portfolio.total_value)),
    el('dl', { class: 'facts' },
      fact('Investor', isolated(portfolio.investor?.name || missing(portfolio)), 'investor'),
      fact('PAN', isolated(portfolio.investor?.pan_masked || panOf(portfolio) || missing(portfolio)), 'pan'),
      fact('Source', sourceName(portfolio.cas_type), 'source'),
      fact('Period', periodText(portfolio.period), 'period')),
    el('div', { class: 'summary-foot' },
      el('p', {}, `${statusText(portfolio)} ${explanation(portfolio)} Saved ${momentText(portfolio.saved_at)}.`),
      el('div', { class: 'buttons' },
        el('button', { type: 'button', class: 'on-dark', 'data-testid': 'close-statement', on: { click: close } }, 'Close'),
        el('button', { type: 'button', class: 'on-dark', 'data-testid': 'delete', on: { click: remove } }, 'Delete statement'))));
}

/** Returns the PAN of a statement's owner, which CAMS and KFintech state in the folios only. */
function panOf({ owner, owners = [] }) {
  return owners.find(({ number }) => number === owner)?.pan_masked;
}

/** Explains a statement of another person. */
function otherPerson({ investor }) {
  return `It names ${investor?.name ?? 'somebody'} with a PAN other than that of most of your statements. It is shown under that name and not added to yours.`;
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

/** Notices about another person, differences, rows that were not saved, warnings, and a locked statement. */
function issues(portfolio) {
  const { readable, rejected = [], received_rows: received, differences = [] } = portfolio;
  const warnings = portfolio.warnings?.filter(({ code }) => code !== 'other_owner');
  return [
    ofOther(portfolio) && el('p', { class: 'notice', 'data-testid': 'other-person' }, el('span', {}, otherPerson(portfolio))),
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

/** Returns a notice that lists issues. */
export function issueList(kind, title, text, list, id) {
  return el('details', { class: `notice ${kind}`, open: list.length < 4, 'data-testid': id },
    el('summary', {}, title),
    text && el('p', {}, text),
    list.length > 0 && el('ul', {}, ...list.slice(0, maxIssues).map((issue) =>
      el('li', {}, issue.detail && isolated(issue.detail), issue.pointer && el('code', {}, isolated(issue.pointer))))),
    list.length > maxIssues && el('p', {}, `And ${(list.length - maxIssues).toLocaleString('en-IN')} more.`));
}
