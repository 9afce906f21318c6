/** The chart of the total over time. */

import { el, svg } from './dom.js';
import { Decimal, percent, rupees, shortAmount } from './money.js';
import { dateText } from './format.js';

/** @typedef {import('./types.d.ts').Point} Point */

const [width, height, margin] = [1000, 100, 14]; // of the drawing, which is stretched to the space that there is

/**
 * Returns the space for a chart, and a function that fills it.
 * @returns {{element: HTMLElement, draw: (points: Point[]) => void, fail: () => void}}
 */
export function worthChart() {
  const element = el('div', { class: 'worth', 'data-testid': 'worth' });
  return {
    element,
    draw: (points) => element.replaceChildren(...(points.length > 1 ? chart(points) : [note('Value over time appears with your second statement.')])),
    fail: () => element.replaceChildren(note('Value over time could not be read.')),
  };
}

const note = (/** @type {string} */ text) => el('p', { class: 'quiet small' }, text);

function chart(points) {
  const days = points.map(({ day }) => Date.parse(day));
  const values = points.map(({ value }) => Number(value)); // for the drawing only
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (i) => Math.round((width * (days[i] - days[0])) / (days.at(-1) - days[0] || 1));
  const y = (i) => Math.round(high === low ? height / 2 : margin + ((height - 2 * margin) * (high - values[i])) / (high - low));
  const line = points.map((_, i) => `${i ? 'L' : 'M'}${x(i)} ${y(i)}`).join('');
  const marker = svg('path', { class: 'worth-marker' });
  const dot = svg('path', { class: 'worth-dot' });
  const label = el('output', { class: 'worth-at', 'data-testid': 'worth-at' });
  const slider = el('input', { type: 'range', min: 0, max: points.length - 1, value: points.length - 1, 'aria-label': 'Value over time', on: { input: () => choose(Number(slider.value)) } });
  const choose = (i) => {
    marker.setAttribute('d', `M${x(i)} ${height}V${y(i)}`);
    dot.setAttribute('d', `M${x(i)} ${y(i)}h0`);
    label.textContent = `${rupees(points[i].value)} on ${dateText(points[i].day)}`;
    slider.setAttribute('aria-valuetext', label.textContent);
  };
  choose(points.length - 1);
  const follow = (event) => {
    const box = slider.getBoundingClientRect();
    const at = (width * (event.clientX - box.left)) / box.width;
    slider.value = days.reduce((best, _, i) => (Math.abs(x(i) - at) < Math.abs(x(best) - at) ? i : best), 0);
    choose(Number(slider.value));
  };
  slider.addEventListener('pointermove', follow);
  slider.addEventListener('pointerdown', follow);
  return [
    el('div', { class: 'worth-plot' },
      svg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
        svg('path', { class: 'worth-area', d: `${line}V${height}H0Z` }),
        svg('path', { class: 'worth-line', d: line }), marker, dot),
      slider),
    el('p', { class: 'worth-axis' }, el('span', {}, dateText(points[0].day)), label, el('span', {}, dateText(points.at(-1).day))),
  ];
}

/**
 * Returns the difference between the last two different totals, in words; '' if there is none.
 * @param {Point[]} points
 */
export function worthChange(points) {
  const now = points.at(-1);
  const before = points.findLast(({ value }) => value !== now?.value);
  const [a, b] = [Decimal.parse(before?.value), Decimal.parse(now?.value)];
  if (!a || !b || a.compare(Decimal.zero) === 0) return '';
  const change = b.minus(a);
  const share = percent(new Decimal(change.negative ? -change.digits : change.digits, change.scale).perMille(a));
  return `${change.negative ? '' : '+'}${shortAmount(change)} (${share}) since ${dateText(before.day)}`;
}
