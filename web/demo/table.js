/** The holdings table: sortable by any column, filtered by text and class. */

import { el, isolated } from './dom.js';
import { Decimal, quantity, rupees, sum } from './money.js';
import { ageText, className, count, dateText, sourceName } from './format.js';
import { provenanceMark } from './provenance.js';

/** @typedef {import('./types.d.ts').Holding} Holding */
/** @typedef {{key: string, label: string, number?: boolean, show: (h: Holding) => any, optional?: boolean}} Column */

/** @type {Column[]} */
const columns = [
  { key: 'name', label: 'Holding', show: nameAndFacts },
  { key: 'units', label: 'Units', number: true, show: (h) => withSmall(quantity(h.units), h.price !== null && ['at ', rupees(h.price)]) },
  { key: 'value', label: 'Value', number: true, show: (h) => rupees(h.value) },
  { key: 'gain', label: 'Gain', number: true, optional: true, show: (h) => withSmall(gain(h), h.cost !== null && ['on ', rupees(h.cost)]) },
  { key: 'as_of', label: 'From', optional: true, show: origin },
];

/**
 * A table over holdings: those of one portfolio, or those of several, which then have
 * the members cas_type, as_of and provenance.
 */
export class HoldingsTable {
  #sort = { key: 'value', descending: true };
  #filter = '';
  #classes = new Set();

  /**
   * @param {Holding[]} rows
   * @param {string} [prefix] of the ids in the table, where a page has several
   */
  constructor(rows, prefix = '') {
    this.prefix = prefix;
    this.rows = rows.map((row) => ({ row, element: rowElement(row, `${prefix}holding-row`), text: searchText(row) }));
    this.columns = columns.filter((column) => !column.optional || rows.some((row) => (row[column.key] ?? null) !== null || (column.key === 'as_of' && row.cas_type)));
    this.body = el('tbody', { role: 'rowgroup' });
    this.headers = this.columns.map((column) => this.#header(column));
    this.search = el('input', {
      type: 'search', id: `${prefix}filter`, 'data-testid': `${prefix}filter`, placeholder: 'Name, ISIN, folio or fund house', autocomplete: 'off',
      on: { input: () => this.#setFilter(this.search.value) },
    });
    this.order = el('select', { id: `${prefix}order`, 'data-testid': `${prefix}order`, on: { change: () => this.#sortBy(this.columns.find(({ key }) => key === this.order.value)) } },
      ...this.columns.map(({ key, label }) => el('option', { value: key }, label)));
    this.chips = this.#classChips(rows);
    this.count = el('p', { class: 'quiet small', role: 'status', 'data-testid': `${prefix}holding-count` });
    this.element = this.#assemble();
    this.#draw();
  }

  /** Shows only one class, as if its chip were the only one selected. */
  showOnly(/** @type {string} */ name) {
    this.#classes = new Set([name]);
    this.#draw();
  }

  #assemble() {
    return el('div', { class: 'holdings' },
      el('div', { class: 'tools' },
        el('label', { for: `${this.prefix}filter`, class: 'sr' }, 'Search the holdings'),
        this.search,
        el('span', { class: 'order' }, el('label', { for: `${this.prefix}order` }, 'Sort by'), this.order), // where there is no header to sort by
        this.chips.length > 1 && el('div', { class: 'chips', role: 'group', 'aria-label': 'Show only these classes' }, ...this.chips)),
      this.count,
      // The roles are explicit, as narrow screens display rows as a list, which would drop them.
      el('div', { class: 'table' },
        el('table', { role: 'table', 'aria-label': 'Holdings', 'data-testid': `${this.prefix}holdings-table` },
          el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...this.headers)),
          this.body)));
  }

  #header(column) {
    return el('th', { role: 'columnheader', scope: 'col', 'data-key': column.key, class: column.number && 'number' },
      el('button', { type: 'button', 'data-testid': `${this.prefix}sort-${column.key}`, on: { click: () => this.#sortBy(column) } }, column.label));
  }

  #classChips(rows) {
    return [...new Set(rows.map((row) => row.class))].map((name) =>
      el('button', { type: 'button', class: 'chip', 'data-class': name, 'data-testid': `${this.prefix}class-${name}`, on: { click: () => this.#toggle(name) } },
        el('span', { class: 'dot', 'data-class': name }), className(name)));
  }

  #sortBy({ key, number }) {
    this.#sort = { key, descending: this.#sort.key === key ? !this.#sort.descending : Boolean(number) };
    this.#draw();
  }

  #setFilter(text) {
    this.#filter = text;
    this.#draw();
  }

  #toggle(name) {
    if (!this.#classes.delete(name)) this.#classes.add(name);
    this.#draw();
  }

  #reset() {
    this.#classes.clear();
    this.search.value = '';
    this.#setFilter('');
    this.search.focus();
  }

  /** Updates the table for the current filter and order. */
  #draw() {
    const terms = this.#filter.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = this.rows.filter(({ row, text }) =>
      (this.#classes.size === 0 || this.#classes.has(row.class)) && terms.every((term) => text.includes(term)));
    const column = this.columns.find(({ key }) => key === this.#sort.key);
    shown.sort((a, b) => compare(a.row, b.row, column, this.#sort.descending));
    this.body.replaceChildren(...(shown.length > 0 ? shown.map(({ element }) => element(this.columns)) : [this.#emptyRow()]));
    for (const header of this.headers) {
      const sorted = header.dataset.key === this.#sort.key;
      if (sorted) header.setAttribute('aria-sort', this.#sort.descending ? 'descending' : 'ascending');
      else header.removeAttribute('aria-sort');
    }
    this.order.value = this.#sort.key;
    for (const chip of this.chips) chip.setAttribute('aria-pressed', String(this.#classes.has(chip.dataset.class)));
    const total = rupees(sum(shown.map(({ row }) => row.value)));
    this.count.textContent = shown.length === this.rows.length
      ? `${count(shown.length, 'holding')}, ${total}`
      : `${shown.length} of ${count(this.rows.length, 'holding')}, ${total}`;
  }

  #emptyRow() {
    return el('tr', { role: 'row', class: 'no-rows' },
      el('td', { role: 'cell', colspan: this.columns.length }, 'No holdings match. ',
        el('button', { type: 'button', class: 'link', on: { click: () => this.#reset() } }, 'Show all holdings')));
  }
}

/** Returns a function that creates the element of a row once, when it is first shown. */
function rowElement(/** @type {Holding} */ row, /** @type {string} */ id) {
  let element;
  return (visibleColumns) => {
    element ??= el('tr', { role: 'row', 'data-testid': id }, ...visibleColumns.map((column, i) =>
      i === 0
        ? el('th', { role: 'rowheader', scope: 'row' }, column.show(row))
        : el('td', { role: 'cell', class: column.number && 'number', 'data-label': column.label, 'data-key': column.key,
            'data-none': column.number && row[column.key] === null }, column.show(row))));
    return element;
  };
}

/** Compares two rows by a column; rows without a value come last in both orders. */
function compare(a, b, { key, number }, descending) {
  const [x, y] = number ? [Decimal.parse(a[key]), Decimal.parse(b[key])] : [columnText(a, key), columnText(b, key)];
  if (!x || !y) return Number(!x) - Number(!y);
  const order = number ? x.compare(y) : x.localeCompare(y, 'en-IN', { numeric: true });
  return (descending ? -order : order) || a.name.localeCompare(b.name, 'en-IN');
}

function columnText(row, key) {
  return row[key];
}

function searchText(/** @type {Holding} */ h) {
  return [h.name, h.isin, h.account, h.institution, h.category, className(h.class), h.cas_type && sourceName(h.cas_type)].filter(Boolean).join(' ').toLowerCase();
}

/** Returns a figure with one that explains it below. */
function withSmall(figure, below) {
  return el('span', { class: 'figure' }, figure, below && el('small', {}, ...below));
}

/** Returns the name of a holding, which shows all that is known of it when it is pressed. */
function nameAndFacts(/** @type {Holding} */ h) {
  const facts = [className(h.class), h.isin, h.institution, h.account, h.category].filter(Boolean);
  const name = el('button', { type: 'button', class: 'holding', 'aria-expanded': 'false', on: { click: () => {
    const open = name.getAttribute('aria-expanded') !== 'true';
    name.setAttribute('aria-expanded', String(open));
    name.closest('tr').classList.toggle('open', open);
  } } }, el('span', { class: 'dot', 'data-class': h.class }), el('span', { class: 'holding-name' }, isolated(h.name)));
  return el('div', { class: 'described' }, name,
    el('small', { class: 'about' }, ...facts.flatMap((fact) => [el('span', { class: 'fact' }, isolated(fact)), ' ']),
      h.sum_assured !== null && h.sum_assured !== undefined && el('span', { class: 'fact' }, `Cover ${rupees(h.sum_assured)}`)));
}

function gain(/** @type {Holding} */ h) {
  const number = Decimal.parse(h.gain);
  if (!number) return rupees(h.gain);
  const positive = number.compare(Decimal.zero) > 0;
  return el('span', { class: positive ? 'up' : number.negative && 'down' }, positive && '+', rupees(number));
}

/** Returns which statement a row is from, how old that is, and whether it is verified. */
function origin(h) {
  return el('span', { class: 'origin' },
    el('span', { class: 'origin-day' }, sourceName(h.cas_type), h.as_of ? ` · ${dateText(h.as_of)}` : ' · no date given'),
    el('small', {}, provenanceMark(h), h.as_of && el('span', { class: 'age' }, ` · ${ageText(h.as_of)}`)));
}
