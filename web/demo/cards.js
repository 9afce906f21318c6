/** Cards that several views have: a title with content, a table of holdings, a list of issues. */

import { el, isolated } from './dom.js';
import { HoldingsTable } from './table.js';

/** Returns a card with a title. */
export function card(/** @type {string} */ title, ...content) {
  return el('section', { class: 'card', 'aria-label': title, tabindex: -1 }, el('h2', {}, title), ...content);
}

/**
 * Returns a card with a table of holdings, and a function that shows one class in it.
 * @param {string} title
 * @param {import('./types.d.ts').Holding[]} rows
 * @param {string} ids prefix of the ids in it
 * @param {(button: HTMLElement) => void} download
 */
export function holdingsCard(title, rows, ids, download) {
  const table = new HoldingsTable(rows, ids);
  const csv = el('button', { type: 'button', class: 'small-button', 'data-testid': `${ids}download-csv`, on: { click: () => download(csv) } }, 'Download CSV');
  const element = card(title, table.element);
  element.firstChild.replaceWith(el('div', { class: 'card-head' }, el('h2', {}, title), csv));
  const showClass = (/** @type {string} */ name) => {
    table.showOnly(name);
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: 'start' });
  };
  return { element, showClass };
}

const maxIssues = 50; // listed; a statement may have thousands

/**
 * Returns a notice that lists issues.
 * @param {'info' | 'bad'} kind
 * @param {string} title
 * @param {string} text
 * @param {{detail: string, pointer: string}[]} list
 * @param {string} id
 */
export function issueList(kind, title, text, list, id) {
  return el('details', { class: `notice ${kind}`, open: list.length < 4, 'data-testid': id },
    el('summary', {}, title),
    text && el('p', {}, text),
    list.length > 0 && el('ul', {}, ...list.slice(0, maxIssues).map((issue) =>
      el('li', {}, issue.detail && isolated(issue.detail), issue.pointer && el('code', {}, isolated(issue.pointer))))),
    list.length > maxIssues && el('p', {}, `And ${(list.length - maxIssues).toLocaleString('en-IN')} more.`));
}
