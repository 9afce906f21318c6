/** The holdings table: sorted by any column, narrowed by words and by class. */

import { el, said } from './dom.js';
import { Decimal, quantity, rupees, sum } from './money.js';
import { className, count } from './wording.js';

/** @typedef {import('./api.js').Holding} Holding */
/** @typedef {{key: string, label: string, number?: boolean, show: (h: Holding) => any, optional?: boolean}} Column */

/** @type {Column[]} */
const columns = [
  { key: 'name', label: 'Holding', show: described },
  { key: 'class', label: 'Class', show: (h) => el('span', { class: 'kind' }, el('span', { class: 'dot', 'data-class': h.class }), className(h.class)) },
  { key: 'units', label: 'Units', number: true, show: (h) => quantity(h.units) },
  { key: 'price', label: 'Price', number: true, show: (h) => rupees(h.price) },
  { key: 'cost', label: 'Cost', number: true, optional: true, show: (h) => rupees(h.cost) },
  { key: 'value', label: 'Value', number: true, show: (h) => rupees(h.value) },
  { key: 'gain', label: 'Gain', number: true, optional: true, show: gained },
];

/** A table over the holdings of one portfolio. */
export class HoldingsTable {
  #sort = { key: 'value', down: true };
  #words = '';
  #classes = new Set();

  constructor(/** @type {Holding[]} */ rows) {
    this.rows = rows.map((row) => ({ row, line: line(row), text: searchable(row) }));
    this.columns = columns.filter((column) => !column.optional || rows.some((row) => row[column.key] !== null));
    this.body = el('tbody', { role: 'rowgroup' });
    this.heads = this.columns.map((column) => this.#head(column));
    this.search = el('input', {
      type: 'search', id: 'filter', 'data-testid': 'filter', placeholder: 'Name, ISIN, folio or fund house', autocomplete: 'off',
      on: { input: () => this.#find(this.search.value) },
    });
    this.chips = this.#makeChips(rows);
    this.tally = el('p', { class: 'quiet small', role: 'status', 'data-testid': 'tally' });
    this.element = this.#assemble();
    this.#draw();
  }

  /** Shows one class alone, as if its chip were the only one pressed. */
  only(/** @type {string} */ name) {
    this.#classes = new Set([name]);
    this.#draw();
  }

  #assemble() {
    return el('div', { class: 'holdings' },
      el('div', { class: 'tools' },
        el('label', { for: 'filter', class: 'sr' }, 'Search the holdings'),
        this.search,
        this.chips.length > 1 && el('div', { class: 'chips', role: 'group', 'aria-label': 'Show only these classes' }, ...this.chips)),
      this.tally,
      // The roles stay when a narrow screen turns rows into cards.
      el('div', { class: 'table' },
        el('table', { role: 'table', 'aria-label': 'Holdings', 'data-testid': 'holdings-table' },
          el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...this.heads)),
          this.body)));
  }

  #head(column) {
    return el('th', { role: 'columnheader', scope: 'col', 'data-key': column.key, class: column.number && 'number' },
      el('button', { type: 'button', 'data-testid': `sort-${column.key}`, on: { click: () => this.#sortBy(column) } }, column.label));
  }

  #makeChips(rows) {
    return [...new Set(rows.map((row) => row.class))].map((name) =>
      el('button', { type: 'button', class: 'chip', 'data-class': name, 'data-testid': `class-${name}`, on: { click: () => this.#toggle(name) } },
        el('span', { class: 'dot', 'data-class': name }), className(name)));
  }

  #sortBy({ key, number }) {
    this.#sort = { key, down: this.#sort.key === key ? !this.#sort.down : Boolean(number) };
    this.#draw();
  }

  #find(text) {
    this.#words = text;
    this.#draw();
  }

  #toggle(name) {
    if (!this.#classes.delete(name)) this.#classes.add(name);
    this.#draw();
  }

  #reset() {
    this.#classes.clear();
    this.search.value = '';
    this.#find('');
    this.search.focus();
  }

  /** Brings the table in line with what was asked for. */
  #draw() {
    const words = this.#words.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = this.rows.filter(({ row, text }) =>
      (this.#classes.size === 0 || this.#classes.has(row.class)) && words.every((word) => text.includes(word)));
    const column = this.columns.find(({ key }) => key === this.#sort.key);
    wanted.sort((a, b) => compare(a.row, b.row, column, this.#sort.down));
    this.body.replaceChildren(...(wanted.length > 0 ? wanted.map(({ line: drawn }) => drawn(this.columns)) : [this.#nothing()]));
    for (const head of this.heads) {
      const on = head.dataset.key === this.#sort.key;
      if (on) head.setAttribute('aria-sort', this.#sort.down ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    }
    for (const chip of this.chips) chip.setAttribute('aria-pressed', String(this.#classes.has(chip.dataset.class)));
    const worth = rupees(sum(wanted.map(({ row }) => row.value)));
    this.tally.textContent = wanted.length === this.rows.length
      ? `${count(wanted.length, 'holding')}, ${worth}`
      : `${wanted.length} of ${count(this.rows.length, 'holding')}, ${worth}`;
  }

  #nothing() {
    return el('tr', { role: 'row', class: 'nothing' },
      el('td', { role: 'cell', colspan: this.columns.length }, 'Nothing matches. ',
        el('button', { type: 'button', class: 'link', on: { click: () => this.#reset() } }, 'Show all holdings')));
  }
}

/** A row's element, made when it is first seen. */
function line(/** @type {Holding} */ row) {
  let made;
  return (shown) => {
    made ??= el('tr', { role: 'row', 'data-testid': 'holding-row' }, ...shown.map((column, i) =>
      i === 0
        ? el('th', { role: 'rowheader', scope: 'row' }, column.show(row))
        : el('td', { role: 'cell', class: column.number && 'number', 'data-label': column.label, 'data-key': column.key,
            'data-none': column.number && row[column.key] === null }, column.show(row))));
    return made;
  };
}

/** Orders two rows by a column; rows without a value come last either way. */
function compare(a, b, { key, number }, down) {
  const [x, y] = number ? [Decimal.parse(a[key]), Decimal.parse(b[key])] : [words(a, key), words(b, key)];
  if (!x || !y) return Number(!x) - Number(!y);
  const order = number ? x.compare(y) : x.localeCompare(y, 'en-IN', { numeric: true });
  return (down ? -order : order) || a.name.localeCompare(b.name, 'en-IN');
}

function words(row, key) {
  return key === 'class' ? className(row.class) : row[key];
}

function searchable(/** @type {Holding} */ h) {
  return [h.name, h.isin, h.account, h.institution, h.category, className(h.class)].filter(Boolean).join(' ').toLowerCase();
}

function described(/** @type {Holding} */ h) {
  const facts = [h.isin, h.institution, h.account, h.category].filter(Boolean);
  return el('div', { class: 'described' },
    el('span', { class: 'holding-name' }, said(h.name)),
    facts.length > 0 && el('small', {}, ...facts.flatMap((fact) => [el('span', { class: 'fact' }, said(fact)), ' '])),
    h.sum_assured !== null && h.sum_assured !== undefined && el('small', {}, `Cover ${rupees(h.sum_assured)}`));
}

function gained(/** @type {Holding} */ h) {
  const number = Decimal.parse(h.gain);
  if (!number) return rupees(h.gain);
  const rose = number.compare(Decimal.zero) > 0;
  return el('span', { class: rose ? 'up' : number.negative && 'down' }, rose && '+', rupees(number));
}
