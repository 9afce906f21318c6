/** Client of the broker's HTTP API. */

/**
 * @typedef {object} User
 * @property {string} id
 * @property {string} name
 *
 * @typedef {object} Config
 * @property {User[]} users
 * @property {string} [widget_url] URL of the vendor's widget; empty for the stand-in
 * @property {string} api_base_url base URL of the API that the widget calls
 * @property {boolean} [sandbox] whether that API is the emulated vendor
 * @property {Mode[]} modes modes of access tokens; the first is preselected
 * @property {string[]} features what a gateway token may be used for
 *
 * @typedef {'gateway' | 'direct'} Mode whether the widget calls the broker or the vendor
 *
 * @typedef {object} Issue
 * @property {string} pointer JSON pointer into the statement
 * @property {string} code
 * @property {string} detail
 *
 * @typedef {object} Summary
 * @property {string} id
 * @property {boolean} [created]
 * @property {boolean} active whether it is the current statement of its owner
 * @property {number} owner number of the owner, from 1
 * @property {{number: number, name: string | null, pan_masked: string | null, accounts: number}[]} owners the owner and those of its accounts
 * @property {boolean} readable false while the broker cannot decrypt it
 * @property {'verified' | 'reported'} provenance
 * @property {string[]} [differences] JSON pointers to where it differs; 20 at most
 * @property {boolean} differs_from_observed whether it differs from what the broker received from the parser
 * @property {'CDSL' | 'NSDL' | 'CAMS_KFINTECH'} cas_type
 * @property {{from: string, to: string} | null} period
 * @property {{name: string | null, pan_masked: string | null}} investor
 * @property {string} total_value
 * @property {Record<string, number>} holdings counts by class
 * @property {number} received_rows
 * @property {number} stored_rows
 * @property {number} transactions
 * @property {Issue[]} rejected
 * @property {Issue[]} warnings
 * @property {string} saved_at
 *
 * @typedef {object} Holding all amounts are decimal strings
 * @property {string} id
 * @property {string} class
 * @property {string | null} isin
 * @property {string} name
 * @property {string | null} account
 * @property {string | null} institution
 * @property {string | null} category
 * @property {string | null} units
 * @property {string | null} price
 * @property {string | null} value
 * @property {string | null} cost
 * @property {string | null} gain
 * @property {string | null} sum_assured
 *
 * @typedef {Summary & {rows: Holding[]}} Portfolio
 *
 * @typedef {object} Account that counts in what the user owns
 * @property {string} id
 * @property {'demat' | 'folio' | 'policy' | 'pension'} kind
 * @property {string} number_masked
 * @property {string | null} institution
 * @property {{name: string | null, pan_masked: string | null}[]} holders
 * @property {number} owner
 * @property {string} portfolio_id the statement that its rows are from
 * @property {Summary['cas_type']} cas_type
 * @property {string | null} as_of the end of that statement's period
 * @property {Summary['provenance']} provenance
 * @property {string | null} value of its rows that count
 * @property {string | null} stated_value
 * @property {number} rows
 *
 * @typedef {object} Owner a person
 * @property {number} number
 * @property {string | null} name
 * @property {string | null} pan_masked
 * @property {number} accounts
 * @property {string} value
 * @property {number} rows
 *
 * @typedef {Holding & {account_id: string, portfolio_id: string, as_of: string | null, provenance: Summary['provenance'], owner: number}} OwnedHolding
 *
 * @typedef {object} Owned what a user owns, from all statements
 * @property {string | null} oldest_as_of
 * @property {string} total_value
 * @property {{code: string, detail: string, portfolio_id: string, account_id: string | null, rows: number | null}[]} notices what the totals lack
 * @property {Owner[]} owners
 * @property {{class: string, value: string, rows: number}[]} classes
 * @property {Account[]} accounts
 * @property {OwnedHolding[]} holdings
 * @property {string | null} next_cursor
 *
 * @typedef {object} Transaction amounts are decimal strings
 * @property {string} id
 * @property {string} holding_id
 * @property {string | null} date
 * @property {string | null} type
 * @property {string | null} units
 * @property {string | null} nav
 * @property {string | null} amount
 * @property {string | null} balance
 *
 * @typedef {{blob: Blob, name: string}} Download
 */

/** An error response of the broker, or no response (status 0). */
export class BrokerError extends Error {
  /** @param {{status: number, code: string, detail?: string, requestId?: string, retryAfter?: number}} response */
  constructor(response) {
    super(`${response.status} ${response.code}`);
    this.status = response.status;
    this.code = response.code;
    this.detail = response.detail ?? '';
    this.requestId = response.requestId ?? '';
    this.retryAfter = response.retryAfter ?? 0; // seconds
  }

  /** Whether a retry of the same request may succeed. */
  get retryable() {
    return [0, 429, 502, 503, 504].includes(this.status) || this.code === 'idempotency_in_flight';
  }
}

/** A user's session with the broker. The JWT is kept in memory only. */
export class Broker {
  #jwt = '';
  /** @type {Promise<void> | undefined} */
  #signingIn;
  #controller = new AbortController();

  constructor(/** @type {string} */ user) {
    this.user = user;
  }

  /** @returns {Promise<Config>} the demo's configuration */
  static config() {
    return send('GET', '/demo/config');
  }

  /** Signs in. Concurrent calls share one request. */
  signIn() {
    this.#signingIn ??= this.#post('/demo/sign-in', { user: this.user })
      .then((answer) => {
        this.#jwt = answer.jwt;
      })
      .finally(() => {
        this.#signingIn = undefined;
      });
    return this.#signingIn;
  }

  /** Ends the session: requests in progress fail with an AbortError. */
  end() {
    this.#jwt = '';
    this.#controller.abort();
  }

  get ended() {
    return this.#controller.signal.aborted;
  }

  /** @returns {Promise<{access_token: string, api_base_url?: string}>} */
  token(/** @type {Mode} */ mode) {
    return this.#call('POST', '/v1/token', { body: { mode } });
  }

  /**
   * @param {{data: unknown, metadata: unknown}} payload
   * @param {string} key idempotency key, the same for every attempt to save a payload
   * @returns {Promise<Summary>}
   */
  save(payload, key) {
    return this.#call('POST', '/v1/portfolios', { body: payload, headers: { 'Idempotency-Key': `"${key}"` } });
  }

  /**
   * Returns what the user owns, with all rows.
   * @param {number} owner number of one person; 0 for all
   * @returns {Promise<Owned>}
   */
  async owned(owner) {
    const read = (/** @type {string | null} */ cursor) => this.#call('GET', `/v1/holdings?${ownedQuery(owner, cursor)}`);
    const all = await read(null);
    for (let cursor = all.next_cursor; cursor !== null;) {
      const page = await read(cursor);
      all.holdings.push(...page.holdings);
      cursor = page.next_cursor;
    }
    return all;
  }

  /** @returns {Promise<Download>} the same as CSV */
  ownedCSV(/** @type {number} */ owner) {
    return this.#call('GET', `/v1/holdings?${ownedQuery(owner, null)}`, { file: true, headers: { Accept: 'text/csv' } });
  }

  /** @returns {Promise<{portfolios: Summary[], next_cursor: string | null}>} */
  list(/** @type {string | null} */ cursor) {
    const query = new URLSearchParams({ limit: '20' });
    if (cursor) query.set('cursor', cursor);
    return this.#call('GET', `/v1/portfolios?${query}`);
  }

  /** @returns {Promise<Portfolio>} */
  portfolio(/** @type {string} */ id) {
    return this.#call('GET', `/v1/portfolios/${encodeURIComponent(id)}`);
  }

  /** @returns {Promise<void>} */
  remove(/** @type {string} */ id) {
    return this.#call('DELETE', `/v1/portfolios/${encodeURIComponent(id)}`);
  }

  /**
   * @param {string} id
   * @param {string} holding the id of one holding; '' for all
   * @param {string | null} cursor
   * @returns {Promise<{transactions: Transaction[], next_cursor: string | null}>}
   */
  transactions(id, holding, cursor) {
    const query = new URLSearchParams({ limit: '25' });
    if (holding) query.set('holding', holding);
    if (cursor) query.set('cursor', cursor);
    return this.#call('GET', `/v1/portfolios/${encodeURIComponent(id)}/transactions?${query}`);
  }

  /** @returns {Promise<Download>} the holdings as CSV */
  holdingsCSV(/** @type {string} */ id) {
    return this.#call('GET', `/v1/portfolios/${encodeURIComponent(id)}/holdings`, { file: true, headers: { Accept: 'text/csv' } });
  }

  /** @returns {Promise<Download>} all data that the broker stores about the user */
  exportMe() {
    return this.#call('GET', '/v1/me/export', { file: true });
  }

  /** @returns {Promise<{erased: {portfolios: number, grants: number}}>} */
  eraseMe() {
    return this.#call('DELETE', '/v1/me');
  }

  #post(path, body) {
    return send('POST', path, { body, signal: this.#controller.signal });
  }

  /** Sends a request as the user. On a 401 it signs in again and retries once. */
  async #call(method, path, options = {}) {
    if (!this.#jwt) await this.signIn();
    const attempt = () =>
      send(method, path, { ...options, headers: { ...options.headers, Authorization: `Bearer ${this.#jwt}` }, signal: this.#controller.signal });
    try {
      return await attempt();
    } catch (error) {
      if (error.status !== 401 || this.ended) throw error;
      await this.signIn();
      return attempt();
    }
  }
}

function ownedQuery(owner, cursor) {
  const query = new URLSearchParams();
  if (owner > 0) query.set('owner', String(owner));
  if (cursor) query.set('cursor', cursor);
  return query;
}

/** Sends one request and returns its JSON or, with file, a Download; throws a BrokerError. */
async function send(method, path, { body, headers = {}, signal, file = false } = {}) {
  const init = { method, headers: { Accept: 'application/json', ...headers }, signal, cache: 'no-store' };
  if (body !== undefined) {
    init.headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  let response, content;
  try {
    response = await fetch(path, init);
    content = await (file && response.ok ? response.blob() : response.text());
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new BrokerError({ status: 0, code: 'network' });
  }
  if (!response.ok) throw errorFrom(response, content);
  if (file) return { blob: content, name: fileName(response) };
  return content === '' ? undefined : parse(content, response);
}

/** Returns the file name that the broker gives a download. */
function fileName(response) {
  return /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition') ?? '')?.[1] ?? 'download';
}

function parse(text, response) {
  try {
    return JSON.parse(text);
  } catch {
    throw new BrokerError({ status: 502, code: 'unreadable', requestId: requestID(response) });
  }
}

/** Returns the BrokerError for a response that is problem+json or anything else. */
function errorFrom(response, text) {
  let problem = {};
  try {
    problem = JSON.parse(text) ?? {};
  } catch {
    // not JSON, such as an error page of a proxy: only the status is known
  }
  return new BrokerError({
    status: response.status,
    code: problem.code ?? `http_${response.status}`,
    detail: problem.detail,
    requestId: problem.request_id ?? requestID(response),
    retryAfter: Number.parseInt(response.headers.get('Retry-After') ?? '', 10) || 0,
  });
}

function requestID(response) {
  return response.headers.get('X-Request-ID') ?? '';
}
