/** The view of one saved statement. */

import { allocate, allocation } from './chart.js';
import { card, holdingsCard, issueList } from './cards.js';
import { changesView } from './changes.js';
import { el, isolated } from './dom.js';
import { fact } from './overview.js';
import { TransactionList } from './transactions.js';
import { rupees } from './money.js';
import { count, momentText, ofOther, periodText, sourceName } from './format.js';
import { explanation, provenanceBadges } from './provenance.js';

/** @typedef {import('./types.d.ts').Portfolio} Portfolio */

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
 * @param {import('./types.d.ts').Changes | null} changes null if they could not be read
 * @param {Actions} actions
 * @returns {HTMLElement[]}
 */
export function statementView(portfolio, changes, actions) {
  const overview = [summary(portfolio, actions), ...issues(portfolio)];
  const changed = card('What changed', changes ? changesView(changes) : el('p', { class: 'quiet' }, 'What it changed cannot be read at the moment.'));
  if (portfolio.rows.length === 0) {
    return [...overview, changed, card('Holdings', el('p', { class: 'quiet' }, 'This statement has no holdings.'))];
  }
  const { element, showClass } = holdingsCard('Holdings of this statement', portfolio.rows, prefix, actions.download);
  const cards = [...overview,
    el('div', { class: 'overview' }, changed, card('Allocation of this statement', allocation(allocate(portfolio.rows), showClass))), element];
  if (portfolio.transactions > 0) {
    const list = new TransactionList(portfolio.rows, actions.transactions, actions.failed);
    cards.push(card('Transactions', el('p', { class: 'quiet small' }, `${count(portfolio.transactions, 'transaction')} in this statement.`), list.element));
  }
  return cards;
}

/** The card with the total value and the facts of the statement. */
function summary(portfolio, { remove, close }) {
  return el('section', { class: 'card summary', 'aria-label': 'Statement', tabindex: -1, 'data-testid': 'portfolio', 'data-id': portfolio.id },
    el('div', { class: 'card-head' },
      el('h2', {}, 'Total of this statement'),
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
      el('p', { class: 'quiet small' }, `${statusText(portfolio)} ${explanation(portfolio)} Saved ${momentText(portfolio.saved_at)}.`),
      el('div', { class: 'buttons' },
        el('button', { type: 'button', class: 'small-button warn', 'data-testid': 'delete', on: { click: remove } }, 'Delete statement'),
        el('button', { type: 'button', class: 'small-button', 'data-testid': 'close-statement', on: { click: close } }, 'Close'))));
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

/** Notices about another person, differences, rows that were not saved, warnings, and a locked statement. */
function issues(portfolio) {
  const { readable, rejected = [], received_rows: received, differences = [] } = portfolio;
  const warnings = portfolio.warnings?.filter(({ code }) => code !== 'other_owner');
  return [
    ofOther(portfolio) && el('p', { class: 'notice info', 'data-testid': 'other-person' }, el('span', {}, otherPerson(portfolio))),
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
