/** What can go wrong in the widget, in words for the person who uses it. */

/** @typedef {import('./portfolio-connect').WidgetError} WidgetError */

const words = {
  INVALID_PASSWORD: {
    title: 'That password does not open this statement',
    message: 'The file is locked with another password.',
    remediation: 'Most statements use your PAN in capitals. Check it and try again.',
    retryable: true,
  },
  AUTHENTICATION: {
    title: 'This import has timed out',
    message: 'The parser no longer accepts this import’s access token.',
    remediation: 'Start the import again.',
    retryable: false,
  },
  RATE_LIMITED: {
    title: 'Too many imports at once',
    message: 'The parser is asked too often just now.',
    remediation: 'Wait a moment and try again.',
    retryable: true,
  },
  NETWORK: {
    title: 'The parser cannot be reached',
    message: 'The connection failed or took too long.',
    remediation: 'Check your connection and try again.',
    retryable: true,
  },
  PARSE_ERROR: {
    title: 'This file could not be read',
    message: 'It does not look like a statement from CDSL, NSDL, CAMS or KFintech.',
    remediation: 'Choose the PDF as you got it by email, or ask for a new one.',
    retryable: true,
  },
  UNKNOWN: {
    title: 'Something went wrong',
    message: 'The parser had a problem with this file.',
    remediation: 'Try again in a moment.',
    retryable: true,
  },
};

/**
 * @param {import('./portfolio-connect').ErrorCode} code
 * @param {Partial<WidgetError>} [more] what to say in place of the usual words
 * @returns {WidgetError}
 */
export function fault(code, more = {}) {
  return { code, ...words[code], details: {}, ...more };
}

/**
 * The fault that an answer of the parser stands for.
 * @param {number} status
 * @param {any} body the answer's JSON, if it was any
 * @param {{requestId?: string, retryAfter?: number}} [headers]
 * @returns {WidgetError}
 */
export function fromAnswer(status, body, headers = {}) {
  const details = {
    status,
    serverCode: text(body?.code),
    serverMessage: text(body?.msg ?? body?.detail),
    ...headers,
  };
  const code = codeOf(status, details.serverCode, details.serverMessage);
  const found = fault(code, { details });
  if (code === 'RATE_LIMITED' && headers.retryAfter) {
    found.remediation = `Wait ${headers.retryAfter} seconds and try again.`;
  }
  if (status === 402) {
    found.message = 'The app’s account with the parser has no credits left.';
    found.remediation = 'Please tell the app’s support.';
    found.retryable = false;
  }
  return found;
}

function codeOf(status, serverCode, message) {
  if (status === 401 || status === 403) return 'AUTHENTICATION';
  if (status === 429) return 'RATE_LIMITED';
  if (status === 408 || status >= 502) return 'NETWORK';
  if (status === 402 || status >= 500) return 'UNKNOWN';
  if (serverCode === 'INVALID_PASSWORD') return 'INVALID_PASSWORD';
  // The file was seen to begin as a PDF, so "invalid PDF or password" means the password.
  if (!serverCode && /password/i.test(message ?? '')) return 'INVALID_PASSWORD';
  return 'PARSE_ERROR';
}

/**
 * The fault in something thrown: one of ours, or whatever an app's onSubmit throws.
 * @param {any} thrown
 * @returns {WidgetError}
 */
export function fromThrown(thrown) {
  const code = Object.hasOwn(words, thrown?.code) ? thrown.code : 'UNKNOWN';
  const more = {};
  for (const key of ['title', 'message', 'remediation']) {
    if (text(thrown?.[key])) more[key] = thrown[key];
  }
  if (typeof thrown?.retryable === 'boolean') more.retryable = thrown.retryable;
  if (typeof thrown?.details === 'object' && thrown.details) more.details = thrown.details;
  return fault(code, more);
}

function text(value) {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
