/** The allocation: how much of a portfolio lies in which asset class. */

import { el, svg } from './dom.js';
import { Decimal, percent, rupees, sum } from './money.js';
import { className, count } from './wording.js';

/** @typedef {import('./api.js').Holding} Holding */
/** @typedef {{class: string, value: Decimal, perMille: number, holdings: number}} Slice */

/**
 * The classes that have a value, largest first, and those that have none.
 * @param {Holding[]} rows
 * @returns {{slices: Slice[], without: Slice[], total: Decimal}}
 */
export function allocate(rows) {
  const groups = Map.groupBy(rows, (row) => row.class);
  const total = sum(rows.map((row) => row.value));
  const all = [...groups].map(([name, held]) => {
    const value = sum(held.map((row) => row.value));
    return { class: name, value, perMille: value.perMille(total), holdings: held.length };
  });
  all.sort((a, b) => b.value.compare(a.value));
  const worth = (slice) => slice.value.compare(Decimal.zero) > 0;
  return { slices: all.filter(worth), without: all.filter((slice) => !worth(slice)), total };
}

/**
 * A ring and its legend. The legend says everything that the ring shows, and its
 * entries lead to the holdings of that class.
 * @param {Holding[]} rows
 * @param {(name: string) => void} onPick
 * @returns {HTMLElement}
 */
export function allocation(rows, onPick) {
  const { slices, without, total } = allocate(rows);
  if (slices.length === 0) {
    return el('p', { class: 'quiet' }, 'No holding of this statement has a market value.');
  }
  const figure = el('div', { class: 'allocation', 'data-testid': 'allocation' }, ring(slices, total), legend(slices, onPick));
  if (without.length > 0) {
    const names = without.map((slice) => `${className(slice.class)} (${slice.holdings})`).join(', ');
    figure.append(el('p', { class: 'quiet small' }, `Without a market value, so not in the picture: ${names}.`));
  }
  return figure;
}

const gap = 6; // thousandths of the ring left free between two classes

function ring(slices, total) {
  const words = slices.map((slice) => `${className(slice.class)} ${percent(slice.perMille)}`).join(', ');
  const picture = svg('svg', { viewBox: '0 0 120 120', role: 'img', class: 'ring', 'aria-label': `Allocation: ${words}` });
  const free = slices.length > 1 ? gap : 0;
  let before = 0;
  for (const slice of slices) {
    const length = Math.max(slice.perMille - free, 1);
    picture.append(svg('circle', {
      cx: 60, cy: 60, r: 48, pathLength: 1000, fill: 'none', 'stroke-width': 15, transform: 'rotate(-90 60 60)',
      'stroke-dasharray': `${length} ${1000 - length}`, 'stroke-dashoffset': -before, class: 'tint', 'data-class': slice.class,
    }, svg('title', {}, `${className(slice.class)}: ${rupees(slice.value)}`)));
    before += slice.perMille;
  }
  picture.append(
    svg('text', { x: 60, y: 57, class: 'ring-figure' }, inWords(total)),
    svg('text', { x: 60, y: 71, class: 'ring-label' }, slices.length === 1 ? 'one class' : `${slices.length} classes`),
  );
  return picture;
}

/** A total short enough for the middle of the ring; the legend has the digits. */
function inWords(total) {
  const whole = total.grouped().split('.')[0];
  const digits = whole.replaceAll(',', '');
  for (const [zeros, unit] of [[7, 'Cr'], [5, 'L']]) {
    if (digits.length > zeros) {
      const head = new Decimal(BigInt(digits.slice(0, -zeros)), 0).grouped();
      return `₹${head}.${digits.slice(-zeros).slice(0, 2)} ${unit}`;
    }
  }
  return `₹${whole}`;
}

function legend(slices, onPick) {
  return el('ul', { class: 'legend' }, ...slices.map((slice) =>
    el('li', {},
      el('button', { type: 'button', on: { click: () => onPick(slice.class) }, title: 'Show these holdings' },
        el('span', { class: 'dot', 'data-class': slice.class }),
        el('span', { class: 'legend-name' }, className(slice.class), el('small', {}, count(slice.holdings, 'holding'))),
        el('span', { class: 'legend-value' }, rupees(slice.value), el('small', {}, percent(slice.perMille)))))));
}
