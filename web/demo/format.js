/** Display texts: names of classes and sources, dates, and error messages. */

/** @typedef {import('./session.js').BrokerError} BrokerError */

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

/** Returns the name of an asset class; for an unknown one, its code in words. */
export function className(/** @type {string} */ code) {
  if (code === '') return 'Holdings not listed';
  return classes[code] ?? code.replaceAll('_', ' ');
}

/** Returns the name of a statement's source. */
export function sourceName(/** @type {string} */ code) {
  return sources[code] ?? code;
}

const day = new Intl.DateTimeFormat('en-IN', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const date = new Intl.DateTimeFormat('en-IN', { dateStyle: 'medium' });
const moment = new Intl.DateTimeFormat('en-IN', { dateStyle: 'medium', timeStyle: 'short' });

/**
 * Formats the period of a statement.
 * @param {{from: string, to: string} | null} period
 */
export function periodText(period) {
  const [from, to] = [period?.from, period?.to].map((text) => (text ? new Date(text) : null));
  if (from && to) return day.formatRange(from, to);
  const only = to ?? from;
  return only ? day.format(only) : 'Period not given';
}

/** Formats the date of an instant in the browser's time zone. */
export function dayText(/** @type {string} */ instant) {
  return date.format(new Date(instant));
}

/** Formats an instant in the browser's time zone. */
export function momentText(/** @type {string} */ instant) {
  return moment.format(new Date(instant));
}

const transactionTypes = { PURCHASE_SIP: 'Purchase SIP', STT_TAX: 'STT', TDS_TAX: 'TDS', STAMP_DUTY_TAX: 'Stamp duty' };

/** Returns the name of a transaction type: "SWITCH_OUT" is "Switch out". Text that is not a code is returned as it is. */
export function typeName(/** @type {string | null} */ type) {
  if (!/^[A-Z_]+$/.test(type ?? '')) return type || '–';
  return transactionTypes[type] ?? type[0] + type.slice(1).replaceAll('_', ' ').toLowerCase();
}

/** Formats a plain date, such as "2025-12-05". */
export function dateText(/** @type {string | null} */ text) {
  return text ? day.format(new Date(text)) : '–';
}

/**
 * Returns how long ago a plain date was: "today", "12 days old", "3 months old".
 * @param {string} text
 * @param {Date} [now]
 */
export function ageText(text, now = new Date()) {
  const days = Math.floor((now.getTime() - Date.parse(text)) / 86_400_000);
  if (days < 1) return 'of today';
  if (days < 60) return `${count(days, 'day')} old`;
  return days < 730 ? `${Math.floor(days / 30.44)} months old` : `${Math.floor(days / 365.25)} years old`;
}

const kinds = { demat: 'Demat account', folio: 'Folio', policy: 'Policy', pension: 'Pension account' };

/** Returns the name of a kind of account. */
export function kindName(/** @type {string} */ kind) {
  return kinds[kind] ?? kind;
}

/** Reports whether the PAN of a statement contradicts that of most of the user's statements. */
export function ofOther(/** @type {import('./types.d.ts').Summary} */ { warnings }) {
  return warnings.some(({ code }) => code === 'other_owner');
}

/** Returns the name of a person; where no statement gives it, the PAN or the number. */
export function personName(/** @type {import('./types.d.ts').Owner} */ { name, pan_masked: pan, number }) {
  return name || pan || `person ${number}`;
}

/** Returns a number with its noun: "1 holding", "23 holdings". */
export function count(/** @type {number} */ n, /** @type {string} */ noun) {
  return `${n.toLocaleString('en-IN')} ${noun}${n === 1 ? '' : 's'}`;
}

const messages = {
  network: ['The service is not responding', 'Check that you are online, and try again in a moment.'],
  unreadable: ['The answer could not be read', 'It may have been changed on its way to this page. Try again in a moment.'],
  rate_limited: ['Too many requests', 'Wait a moment and try again.'],
  not_a_statement: ['This is not a statement that can be saved', 'Import the PDF that CDSL, NSDL, CAMS or KFintech sent you.'],
  other_owner: ['This statement belongs to another person', 'Its PAN differs from that of most of your statements, and this service accepts only yours.'],
  quota_exceeded: ['There is no room for this statement', 'Delete statements that you no longer need, then import it again.'],
  portfolio_unreadable: ['This statement is locked', 'It cannot be decrypted at the moment. Please contact support.'],
  save_busy: ['The service is busy', 'It is saving other large statements. Try again in a moment.'],
  export_unavailable: ['The export cannot be prepared', 'Try again in some minutes.'],
  export_under_way: ['An export is already in progress', 'Wait until it has finished.'],
  body_too_slow: ['Your connection is too slow', 'Try again over a faster one.'],
  body_too_large: ['This statement is too large', 'Request a statement for a shorter period and import that.'],
  portfolio_not_found: ['This statement is no longer there', 'It was deleted, possibly in another window.'],
  idempotency_in_flight: ['This statement is already being saved', 'Try again in a moment.'],
  unauthenticated: ['Your session has ended', 'Sign in again to continue.'],
  invalid_token: ['Your session has ended', 'Sign in again to continue.'],
  forbidden: ['You do not have permission to do this', 'Please contact support.'],
  subject_blocked: ['Your account is blocked', 'Please contact support.'],
};

/**
 * Returns the message for an error: what happened and what to do.
 * @param {BrokerError} error
 * @param {string} action the action that failed, such as "The statement was not saved"
 * @returns {{title: string, text: string, small: string, wait: number}}
 */
export function explain(error, action) {
  if (typeof error?.status !== 'number') {
    return { title: action, text: 'An error occurred on this page. Reload it and try again.', small: '', wait: 0 };
  }
  const known = messages[error.code];
  const [title, text] = known ?? [action, error.detail || 'The service had a problem. Try again in a moment.'];
  const small = [`Code ${error.code}`, error.requestId && `request ${error.requestId}`];
  return {
    title,
    text: known ? `${action}. ${text}` : text,
    small: small.filter(Boolean).join(' · '),
    wait: error.retryAfter,
  };
}
