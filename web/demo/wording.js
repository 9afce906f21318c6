/** What is said about things: classes, sources, dates, and what went wrong. */

/** @typedef {import('./api.js').BrokerError} BrokerError */

const classes = {
  equity: 'Shares',
  preference_share: 'Preference shares',
  etf: 'ETFs',
  mutual_fund: 'Mutual funds',
  demat_mutual_fund: 'Demat funds',
  aif: 'Alternative funds',
  corporate_bond: 'Corporate bonds',
  government_security: 'Govt securities',
  sovereign_gold_bond: 'Gold bonds',
  nps: 'NPS',
  insurance: 'Insurance',
};

const sources = { CDSL: 'CDSL', NSDL: 'NSDL', CAMS_KFINTECH: 'CAMS & KFintech' };

/** The name of an asset class; one that is new to this page by its code. */
export function className(/** @type {string} */ code) {
  return classes[code] ?? code.replaceAll('_', ' ');
}

/** Who made a statement. */
export function sourceName(/** @type {string} */ code) {
  return sources[code] ?? code;
}

const day = new Intl.DateTimeFormat('en-IN', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const date = new Intl.DateTimeFormat('en-IN', { dateStyle: 'medium' });
const moment = new Intl.DateTimeFormat('en-IN', { dateStyle: 'medium', timeStyle: 'short' });

/** @param {{from: string, to: string} | null} period */
export function periodText(period) {
  const [from, to] = [period?.from, period?.to].map((text) => (text ? new Date(text) : null));
  if (from && to) return day.formatRange(from, to);
  const only = to ?? from;
  return only ? day.format(only) : 'Period not given';
}

/** The day of an instant, in the reader's own time zone. */
export function dayText(/** @type {string} */ instant) {
  return date.format(new Date(instant));
}

/** An instant in the reader's own time zone. */
export function momentText(/** @type {string} */ instant) {
  return moment.format(new Date(instant));
}

/** A transaction's type: "SWITCH_OUT" becomes "Switch out"; one that is new to this page stays as it is. */
export function typeName(/** @type {string | null} */ type) {
  if (!/^[A-Z_]+$/.test(type ?? '')) return type || '–';
  return type[0] + type.slice(1).replaceAll('_', ' ').toLowerCase().replace(/ sip$/, ' SIP');
}

/** A day that a statement names, "2025-12-05". */
export function statedDay(/** @type {string | null} */ text) {
  return text ? day.format(new Date(text)) : '–';
}

/** "1 holding", "23 holdings". */
export function count(/** @type {number} */ n, /** @type {string} */ noun) {
  return `${n.toLocaleString('en-IN')} ${noun}${n === 1 ? '' : 's'}`;
}

const problems = {
  network: ['The broker does not answer', 'Check that it is running and that you are online.'],
  unreadable: ['The broker’s answer could not be read', 'Something between this page and the broker may have changed it.'],
  rate_limited: ['That was a little too fast', 'The broker takes a limited number of requests a minute.'],
  not_a_statement: ['This is not a statement the broker can keep', 'Import the PDF that CDSL, NSDL, CAMS or KFintech sent you.'],
  other_owner: ['This statement is another person’s', 'It has another PAN than the ones you saved before.'],
  portfolio_unreadable: ['This statement is locked', 'The broker lacks the key that it is sealed under; its operator can put it back.'],
  save_busy: ['The broker is busy', 'It saves as many large statements as it can at the moment.'],
  export_under_way: ['Your export is under way already', 'Wait until it has ended.'],
  body_too_large: ['This statement is too large', 'Ask for a statement over a shorter period and import that.'],
  portfolio_not_found: ['This statement is no longer there', 'It was deleted, perhaps in another window.'],
  idempotency_in_flight: ['This statement is being saved already', 'Look again in a moment.'],
  unauthenticated: ['Your session has ended', 'Sign in again to go on.'],
  invalid_token: ['Your session has ended', 'Sign in again to go on.'],
  forbidden: ['This account may not do that', 'Ask the operator of the broker.'],
};

/**
 * An error of the broker for people: what happened and what to do.
 * @param {BrokerError} error
 * @param {string} doing what was being tried, such as "The statement was not saved"
 * @returns {{title: string, text: string, small: string, wait: number}}
 */
export function explain(error, doing) {
  if (typeof error?.status !== 'number') {
    return { title: doing, text: 'This page made a mistake. Reload it and try again.', small: '', wait: 0 };
  }
  const own = problems[error.code];
  const [title, text] = own ?? [doing, error.detail || 'The broker had a problem. Try again in a moment.'];
  const small = [`Code ${error.code}`, error.requestId && `request ${error.requestId}`];
  return {
    title,
    text: own ? `${doing}. ${text}` : text,
    small: small.filter(Boolean).join(' · '),
    wait: error.retryAfter,
  };
}
