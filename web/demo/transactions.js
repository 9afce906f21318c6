/** The list of transactions of a statement, for all holdings or one, page by page. */

import { el, isolated } from './dom.js';
import { quantity, rupees } from './money.js';
import { dateText, typeName } from './format.js';

/** @typedef {import('./types.d.ts').Holding} Holding */
/** @typedef {import('./types.d.ts').Transaction} Transaction */
/** @typedef {(holding: string, cursor: string | null) => Promise<{transactions: Transaction[], next_cursor: string | null}>} ReadPage */

/** @type {{key: string, label: string, number?: boolean, show: (t: Transaction, names: Map<string, string>) => any}[]} */
const columns = [
  { key: 'holding', label: 'Holding', show: (t, names) => el('span', { class: 'holding-name' }, isolated(names.get(t.holding_id) ?? '')) },
  { key: 'date', label: 'Date', show: (t) => dateText(t.date) },
  { key: 'type', label: 'Type', show: (t) => isolated(typeName(t.type)) },
  { key: 'units', label: 'Units', number: true, show: (t) => quantity(t.units) },
  { key: 'nav', label: 'NAV', number: true, show: (t) => rupees(t.nav) },
  { key: 'amount', label: 'Amount', number: true, show: (t) => rupees(t.amount) },
  { key: 'balance', label: 'Balance', number: true, show: (t) => quantity(t.balance) },
];

/** A collapsible list that loads its first page when it is opened. */
export class TransactionList {
  #holding = '';
  /** @type {string | null} */
  #cursor = null;
  #requests = 0; // pages requested; only the answer to the last request is shown

  /**
   * @param {Holding[]} rows
   * @param {ReadPage} readPage
   * @param {(error: Error, retry: () => void) => void} onError
   */
  constructor(rows, readPage, onError) {
    this.readPage = readPage;
    this.onError = onError;
    this.names = new Map(rows.map((row) => [row.id, row.name]));
    this.body = el('tbody', { role: 'rowgroup' });
    this.more = el('button', { type: 'button', hidden: true, 'data-testid': 'more-transactions', on: { click: () => this.#load() } }, 'More transactions');
    this.select = el('select', { id: 'of-holding', 'data-testid': 'of-holding', on: { change: () => this.#choose(this.select.value) } },
      el('option', { value: '' }, 'All holdings'),
      ...rows.map((row) => el('option', { value: row.id, dir: 'auto' }, row.name)));
    this.element = el('details', { class: 'transactions', 'data-testid': 'transactions', on: { toggle: () => this.#open() } },
      el('summary', {}, 'Show transactions'),
      el('div', { class: 'tools' }, el('label', { for: 'of-holding', class: 'sr' }, 'Show the transactions of'), this.select),
      el('div', { class: 'table' }, el('table', { role: 'table', 'aria-label': 'Transactions' },
        el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...columns.map(header))), this.body)),
      this.more);
  }

  #open() {
    if (this.element.open && this.#requests === 0) this.#choose('');
  }

  #choose(holding) {
    this.#holding = holding;
    this.#cursor = null;
    this.body.replaceChildren();
    return this.#load();
  }

  async #load() {
    const request = ++this.#requests;
    try {
      const page = await this.readPage(this.#holding, this.#cursor);
      if (request !== this.#requests) return; // a newer request is in progress
      this.#cursor = page.next_cursor;
      this.body.append(...page.transactions.map((t) => this.#row(t)));
      if (this.body.childElementCount === 0) this.body.append(emptyRow());
      this.more.hidden = this.#cursor === null;
    } catch (error) {
      if (request === this.#requests) this.onError(error, () => this.#load());
    }
  }

  #row(t) {
    return el('tr', { role: 'row', 'data-testid': 'transaction-row' }, ...columns.map((column, i) =>
      el(i === 0 ? 'th' : 'td', { role: i === 0 ? 'rowheader' : 'cell', scope: i === 0 && 'row', class: column.number && 'number',
        'data-label': column.label, 'data-key': column.key, 'data-none': column.number && t[column.key] === null }, column.show(t, this.names))));
  }
}

function header(column) {
  return el('th', { role: 'columnheader', scope: 'col', class: column.number && 'number' }, column.label);
}

function emptyRow() {
  return el('tr', { role: 'row', class: 'no-rows' }, el('td', { role: 'cell', colspan: columns.length }, 'No transactions.'));
}
