/** The allocation chart: the share of each asset class in a portfolio. */

import { el, svg } from './dom.js';
import { Decimal, percent, rupees, shortAmount, sum } from './money.js';
import { className, count } from './format.js';

/** @typedef {import('./types.d.ts').Holding} Holding */
/** @typedef {{class: string, value: Decimal, perMille: number, holdings: number}} Slice */

/** @typedef {{slices: Slice[], without: Slice[], total: Decimal}} Allocation classes with a value, largest first, and those without */

/** Groups the holdings by class. */
export function allocate(/** @type {Holding[]} */ rows) {
  const groups = Map.groupBy(rows, (row) => row.class);
  return allocateSums([...groups].map(([name, holdings]) => ({ class: name, value: sum(holdings.map((row) => row.value)), rows: holdings.length })));
}

/**
 * Returns the share of each class.
 * @param {{class: string, value: Decimal | string, rows: number}[]} classes
 * @returns {Allocation}
 */
export function allocateSums(classes) {
  const values = classes.map(({ value }) => (value instanceof Decimal ? value : Decimal.parse(value) ?? Decimal.zero));
  const total = values.reduce((all, value) => all.plus(value), Decimal.zero);
  const all = classes.map(({ class: name, rows }, i) => ({ class: name, value: values[i], perMille: values[i].perMille(total), holdings: rows }));
  all.sort((a, b) => b.value.compare(a.value));
  const hasValue = (slice) => slice.value.compare(Decimal.zero) > 0;
  return { slices: all.filter(hasValue), without: all.filter((slice) => !hasValue(slice)), total };
}

/**
 * Returns a donut chart and its legend. The legend has all the data of the chart; a
 * click on an entry calls onSelect with its class.
 * @param {Allocation} allocated
 * @param {(name: string) => void} onSelect
 * @returns {HTMLElement}
 */
export function allocation({ slices, without, total }, onSelect) {
  if (slices.length === 0) {
    return el('p', { class: 'quiet' }, 'None of these holdings has a market value.');
  }
  const figure = el('div', { class: 'allocation', 'data-testid': 'allocation' }, donut(slices, total), legend(slices, onSelect));
  if (without.length > 0) {
    const names = without.map((slice) => `${className(slice.class)} (${slice.holdings})`).join(', ');
    figure.append(el('p', { class: 'quiet small' }, `Not in the chart, as they have no market value: ${names}.`));
  }
  return figure;
}

const gap = 6; // thousandths of the circle between two classes

function donut(slices, total) {
  const shares = slices.map((slice) => `${className(slice.class)} ${percent(slice.perMille)}`).join(', ');
  const chart = svg('svg', { viewBox: '0 0 120 120', role: 'img', class: 'donut', 'aria-label': `Allocation: ${shares}` });
  const spacing = slices.length > 1 ? gap : 0;
  let offset = 0;
  for (const slice of slices) {
    const length = Math.max(slice.perMille - spacing, 1);
    chart.append(svg('circle', {
      cx: 60, cy: 60, r: 48, pathLength: 1000, fill: 'none', 'stroke-width': 15, transform: 'rotate(-90 60 60)',
      'stroke-dasharray': `${length} ${1000 - length}`, 'stroke-dashoffset': -offset, class: 'tint', 'data-class': slice.class,
    }, svg('title', {}, `${className(slice.class)}: ${rupees(slice.value)}`)));
    offset += slice.perMille;
  }
  chart.append(
    svg('text', { x: 60, y: 57, class: 'donut-total' }, shortAmount(total)),
    svg('text', { x: 60, y: 71, class: 'donut-label' }, slices.length === 1 ? 'one class' : `${slices.length} classes`),
  );
  return chart;
}

function legend(slices, onSelect) {
  return el('ul', { class: 'legend' }, ...slices.map((slice) =>
    el('li', {},
      el('button', { type: 'button', on: { click: () => onSelect(slice.class) }, title: 'Show these holdings' },
        el('span', { class: 'dot', 'data-class': slice.class }),
        el('span', { class: 'legend-name', title: slice.holdings > 0 && count(slice.holdings, 'holding') }, className(slice.class)),
        el('span', { class: 'legend-value' }, rupees(slice.value)),
        el('span', { class: 'legend-share' }, percent(slice.perMille))))));
}
