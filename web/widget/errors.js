/** The errors of the widget, with their messages for the user. */

/** @typedef {import('./portfolio-connect').WidgetError} WidgetError */
/** @typedef {import('./portfolio-connect').ErrorCode} ErrorCode */

/** @type {Record<ErrorCode, Omit<WidgetError, 'code' | 'details'>>} */
const defaults = {
  INVALID_PASSWORD: {
    title: 'That password does not open this statement',
    message: 'The file is locked with another password.',
    remediation: 'Most statements use your PAN in capitals. Check it and try again.',
    retryable: true,
  },
  AUTHENTICATION: {
    title: 'This import has timed out',
    message: 'Its access to the parser has expired.',
    remediation: 'Start the import again.',
    retryable: false,
  },
  RATE_LIMITED: {
    title: 'Too many imports at once',
    message: 'The parser is receiving too many requests.',
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
    remediation: 'Choose the original PDF from the email, or request a new one.',
    retryable: true,
  },
  GENERATOR_ERROR: {
    title: 'The statement could not be requested',
    message: 'The registrar did not accept the request.',
    remediation: 'Check what you entered and try again.',
    retryable: true,
  },
  CDSL_FETCH_ERROR: {
    title: 'CDSL did not accept this',
    message: 'The details do not match those at CDSL.',
    remediation: 'Check them and try again.',
    retryable: true,
  },
  INBOX_ERROR: {
    title: 'The mailbox could not be searched',
    message: 'Access to it was refused or has ended.',
    remediation: 'Connect it again, or choose another way.',
    retryable: true,
  },
  INBOUND_EMAIL_ERROR: {
    title: 'No statement could be received by mail',
    message: 'The forwarding address does not work.',
    remediation: 'Try again, or choose another way.',
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
 * Returns the error for a code, with its default messages.
 * @param {ErrorCode} code
 * @param {Partial<WidgetError>} [overrides] members that replace the defaults
 * @returns {WidgetError}
 */
export function widgetError(code, overrides = {}) {
  return { code, ...defaults[code], details: {}, ...overrides };
}

/**
 * Returns the error for an error response of the parser.
 * @param {number} status
 * @param {any} body the response's JSON; undefined when it is not JSON
 * @param {{requestId?: string, retryAfter?: number}} [headers]
 * @param {ErrorCode} [kind] the code for a request that is refused for what it says
 * @returns {WidgetError}
 */
export function fromResponse(status, body, headers = {}, kind = 'PARSE_ERROR') {
  const details = {
    status,
    serverCode: nonEmpty(body?.code),
    serverMessage: nonEmpty(body?.msg ?? body?.detail),
    ...headers,
  };
  const code = body?.requires_reconnect ? 'INBOX_ERROR' : errorCode(status, details, kind);
  const error = widgetError(code, { details });
  if (code === 'RATE_LIMITED' && headers.retryAfter) {
    error.remediation = `Wait ${headers.retryAfter} seconds and try again.`;
  }
  if (code === kind && kind !== 'PARSE_ERROR' && details.serverMessage) error.message = sentence(details.serverMessage);
  if (status === 402) {
    error.message = 'Imports are not available at the moment.';
    error.remediation = 'Please contact the app’s support.';
    error.retryable = false;
  }
  return error;
}

function errorCode(status, { serverCode, serverMessage }, kind) {
  if (status === 401 || status === 403) return 'AUTHENTICATION';
  if (status === 429) return 'RATE_LIMITED';
  if (status === 408 || status >= 502) return 'NETWORK';
  if (status === 402 || status >= 500) return 'UNKNOWN';
  if (kind !== 'PARSE_ERROR') return kind;
  if (serverCode === 'INVALID_PASSWORD') return 'INVALID_PASSWORD';
  // The file begins like a PDF, so "invalid PDF or password" means the password.
  if (!serverCode && /password/i.test(serverMessage ?? '')) return 'INVALID_PASSWORD';
  return 'PARSE_ERROR';
}

/**
 * Converts anything thrown, by the widget or by an app's onSubmit, to an error.
 * @param {any} thrown
 * @returns {WidgetError}
 */
export function fromException(thrown) {
  const overrides = {};
  for (const key of ['title', 'message', 'remediation']) {
    if (nonEmpty(thrown?.[key])) overrides[key] = thrown[key];
  }
  if (typeof thrown?.retryable === 'boolean') overrides.retryable = thrown.retryable;
  if (typeof thrown?.details === 'object' && thrown.details) overrides.details = thrown.details;
  return widgetError(codeOf(thrown), overrides);
}

/** Returns the code of what an app's onSubmit or the widget threw. */
function codeOf(thrown) {
  if (Object.hasOwn(defaults, thrown?.code ?? '')) return thrown.code;
  return /password/i.test(thrown?.message ?? '') ? 'INVALID_PASSWORD' : 'UNKNOWN';
}

function nonEmpty(value) {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
