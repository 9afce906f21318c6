/** The transactions of a statement: of all holdings or of one, a page at a time. */

import { el, said } from './dom.js';
import { quantity, rupees } from './money.js';
import { statedDay, typeName } from './wording.js';

/** @typedef {import('./api.js').Holding} Holding */
/** @typedef {import('./api.js').Transaction} Transaction */
/** @typedef {(holding: string, cursor: string | null) => Promise<{transactions: Transaction[], next_cursor: string | null}>} Read */

/** @type {{key: string, label: string, number?: boolean, show: (t: Transaction, names: Map<string, string>) => any}[]} */
const columns = [
  { key: 'holding', label: 'Holding', show: (t, names) => el('span', { class: 'holding-name' }, said(names.get(t.holding_id) ?? '')) },
  { key: 'date', label: 'Date', show: (t) => statedDay(t.date) },
  { key: 'type', label: 'Type', show: (t) => said(typeName(t.type)) },
  { key: 'units', label: 'Units', number: true, show: (t) => quantity(t.units) },
  { key: 'nav', label: 'NAV', number: true, show: (t) => rupees(t.nav) },
  { key: 'amount', label: 'Amount', number: true, show: (t) => rupees(t.amount) },
  { key: 'balance', label: 'Balance', number: true, show: (t) => quantity(t.balance) },
];

/** A ledger that is read when it is first opened. */
export class Ledger {
  #holding = '';
  /** @type {string | null} */
  #next = null;
  #asked = 0; // how many pages: only the answer to the last one is shown

  /**
   * @param {Holding[]} rows
   * @param {Read} read
   * @param {(error: Error, again: () => void) => void} onError
   */
  constructor(rows, read, onError) {
    this.read = read;
    this.onError = onError;
    this.names = new Map(rows.map((row) => [row.id, row.name]));
    this.body = el('tbody', { role: 'rowgroup' });
    this.more = el('button', { type: 'button', hidden: true, 'data-testid': 'more-transactions', on: { click: () => this.#go() } }, 'More transactions');
    this.select = el('select', { id: 'of-holding', 'data-testid': 'of-holding', on: { change: () => this.#choose(this.select.value) } },
      el('option', { value: '' }, 'All holdings'),
      ...rows.map((row) => el('option', { value: row.id, dir: 'auto' }, row.name)));
    this.element = el('details', { class: 'ledger', 'data-testid': 'ledger', on: { toggle: () => this.#open() } },
      el('summary', {}, 'Show transactions'),
      el('div', { class: 'tools' }, el('label', { for: 'of-holding', class: 'sr' }, 'Show the transactions of'), this.select),
      el('div', { class: 'table' }, el('table', { role: 'table', 'aria-label': 'Transactions' },
        el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...columns.map(head))), this.body)),
      this.more);
  }

  #open() {
    if (this.element.open && this.#asked === 0) this.#choose('');
  }

  #choose(holding) {
    this.#holding = holding;
    this.#next = null;
    this.body.replaceChildren();
    return this.#go();
  }

  async #go() {
    const mine = ++this.#asked;
    try {
      const page = await this.read(this.#holding, this.#next);
      if (mine !== this.#asked) return; // something else was asked for meanwhile
      this.#next = page.next_cursor;
      this.body.append(...page.transactions.map((t) => this.#line(t)));
      if (this.body.childElementCount === 0) this.body.append(nothing());
      this.more.hidden = this.#next === null;
    } catch (error) {
      if (mine === this.#asked) this.onError(error, () => this.#go());
    }
  }

  #line(t) {
    return el('tr', { role: 'row', 'data-testid': 'transaction-row' }, ...columns.map((column, i) =>
      el(i === 0 ? 'th' : 'td', { role: i === 0 ? 'rowheader' : 'cell', scope: i === 0 && 'row', class: column.number && 'number',
        'data-label': column.label, 'data-key': column.key, 'data-none': column.number && t[column.key] === null }, column.show(t, this.names))));
  }
}

function head(column) {
  return el('th', { role: 'columnheader', scope: 'col', class: column.number && 'number' }, column.label);
}

function nothing() {
  return el('tr', { role: 'row', class: 'nothing' }, el('td', { role: 'cell', colspan: columns.length }, 'The statement names none.'));
}
