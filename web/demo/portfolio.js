/** The view of one saved statement. */

import { allocation } from './chart.js';
import { el } from './dom.js';
import { rupees } from './money.js';
import { HoldingsTable } from './table.js';
import { count, momentText, periodText, sourceName } from './wording.js';

/** @typedef {import('./api.js').Portfolio} Portfolio */

const provenances = {
  reported: ['Reported by browser', 'The browser handed this statement in; the broker did not see the parser’s own answer.'],
  verified: ['Verified', 'The broker itself saw the parser give this result.'],
};

/**
 * @param {Portfolio} portfolio
 * @param {() => void} onDelete
 * @returns {{overview: HTMLElement[], holdings: HTMLElement}}
 */
export function portfolioView(portfolio, onDelete) {
  const overview = [worth(portfolio, onDelete), ...problems(portfolio)];
  if (portfolio.rows.length === 0) {
    return { overview, holdings: card('Holdings', el('p', { class: 'quiet' }, 'This statement has no holdings.')) };
  }
  const table = new HoldingsTable(portfolio.rows);
  const holdings = card('Holdings', table.element);
  const pick = (name) => {
    table.only(name);
    holdings.focus({ preventScroll: true });
    holdings.scrollIntoView({ block: 'start' });
  };
  return { overview: [...overview, card('Allocation', allocation(portfolio.rows, pick))], holdings };
}

function card(title, ...content) {
  return el('section', { class: 'card', 'aria-label': title, tabindex: -1 }, el('h2', {}, title), ...content);
}

/** What the statement is and what it is worth. */
function worth(portfolio, onDelete) {
  const [badge, meaning] = provenances[portfolio.provenance] ?? [portfolio.provenance, ''];
  return el('section', { class: 'worth', 'aria-label': 'Total', 'data-testid': 'portfolio', 'data-id': portfolio.id },
    el('div', { class: 'worth-head' },
      el('p', { class: 'worth-label' }, 'Total value'),
      el('span', { class: 'badge', title: meaning, 'data-testid': 'provenance' }, badge)),
    el('p', { class: 'total', 'data-testid': 'total' }, rupees(portfolio.total_value)),
    el('dl', { class: 'facts' },
      fact('Investor', portfolio.investor?.name || 'Not given', 'investor'),
      fact('PAN', portfolio.investor?.pan_masked || 'Not given', 'pan'),
      fact('Source', sourceName(portfolio.cas_type), 'source'),
      fact('Period', periodText(portfolio.period), 'period')),
    el('div', { class: 'worth-foot' },
      el('p', {}, `${meaning} Saved ${momentText(portfolio.saved_at)}.`),
      el('button', { type: 'button', class: 'on-dark', 'data-testid': 'delete', on: { click: onDelete } }, 'Delete statement')));
}

function fact(name, value, id) {
  return el('div', {}, el('dt', {}, name), el('dd', { 'data-testid': id }, value));
}

/** What the broker could not take, and what struck it. */
function problems({ rejected = [], warnings = [], received_rows: received }) {
  return [
    rejected?.length > 0 && places('bad', `${count(rejected.length, 'row')} of ${received} could not be saved`,
      'They are missing below and from what adds up there; the statement as it came is kept whole.', rejected, 'rejected'),
    warnings?.length > 0 && places('info', `${count(warnings.length, 'thing')} to know about this statement`, '', warnings, 'warnings'),
  ].filter(Boolean);
}

function places(kind, title, text, list, id) {
  return el('details', { class: `notice ${kind}`, open: kind === 'bad' || list.length < 4, 'data-testid': id },
    el('summary', {}, title),
    text && el('p', {}, text),
    el('ul', {}, ...list.map((place) => el('li', {}, place.detail, place.pointer && el('code', {}, place.pointer)))));
}
