/** The last step, with what was imported. Apps ask for it with successBehavior: "summary". */

import { el } from './dom.js';

/**
 * Returns the step.
 * @param {import('./dialog.js').Dialog} session
 * @param {import('./portfolio-connect').PortfolioSummary} summary
 * @returns {import('./dialog.js').Step}
 */
export function done(session, summary) {
  const { successCta, successAutoCloseMs } = session.config;
  const rows = [['Investor', summary.investorName], ['Statement', summary.casType], ['As on', summary.asOnDate],
    ['Accounts', summary.accounts], ['Holdings', summary.holdings]];
  return {
    name: 'done', title: 'Imported',
    body: [
      el('p', { class: 'total', testid: 'total' }, rupees(summary.totalValue)),
      el('dl', {}, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [el('dt', {}, String(name)), el('dd', {}, el('bdi', {}, String(value)))])),
    ],
    status: 'The statement was imported.',
    action: (typeof successCta === 'string' ? successCta : successCta?.label) ?? 'Done',
    run: async () => session.end(),
    start: (signal) => {
      if (!(successAutoCloseMs > 0)) return;
      const timer = setTimeout(session.end, successAutoCloseMs);
      signal.addEventListener('abort', () => clearTimeout(timer));
    },
  };
}

function rupees(value) {
  return value === undefined ? '' : value.toLocaleString('en-IN', { style: 'currency', currency: 'INR' });
}
