/** The broker's HTTP surface, as the page uses it. */

/**
 * @typedef {object} User
 * @property {string} id
 * @property {string} name
 *
 * @typedef {object} Config
 * @property {User[]} users
 * @property {string} [widget_url] the vendor's script; empty for the stand-in
 * @property {string} api_base_url where the widget talks to
 * @property {boolean} [sandbox] whether that is the emulated vendor
 *
 * @typedef {object} Place
 * @property {string} pointer where in the statement
 * @property {string} code
 * @property {string} detail
 *
 * @typedef {object} Summary
 * @property {string} id
 * @property {boolean} [created]
 * @property {boolean} active whether it is the one of its owner that counts
 * @property {number} owner whose it is, from 1: statements with PANs that contradict are kept apart
 * @property {boolean} readable false while the broker lacks the key that it is sealed under
 * @property {'reported' | 'verified'} provenance
 * @property {'CDSL' | 'NSDL' | 'CAMS_KFINTECH'} cas_type
 * @property {{from: string, to: string} | null} period
 * @property {{name: string | null, pan_masked: string | null}} investor
 * @property {string} total_value
 * @property {Record<string, number>} holdings counts by class
 * @property {number} received_rows
 * @property {number} stored_rows
 * @property {number} transactions
 * @property {Place[]} rejected
 * @property {Place[]} warnings
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

/** An answer that is no success, or no answer at all (status 0). */
export class BrokerError extends Error {
  /** @param {{status: number, code: string, detail?: string, requestId?: string, retryAfter?: number}} what */
  constructor(what) {
    super(`${what.status} ${what.code}`);
    this.status = what.status;
    this.code = what.code;
    this.detail = what.detail ?? '';
    this.requestId = what.requestId ?? '';
    this.retryAfter = what.retryAfter ?? 0; // seconds
  }

  /** Whether the same request may well succeed a little later. */
  get passing() {
    return [0, 429, 502, 503, 504].includes(this.status) || this.code === 'idempotency_in_flight';
  }
}

/** One person's session with the broker. The JWT stays in memory. */
export class Broker {
  #jwt = '';
  /** @type {Promise<void> | undefined} */
  #signingIn;
  #over = new AbortController();

  constructor(/** @type {string} */ user) {
    this.user = user;
  }

  /** @returns {Promise<Config>} what the demo is set up with */
  static config() {
    return send('GET', '/demo/config');
  }

  /** Signs in; calls made while that is under way share it. */
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

  /** Ends the session: what is under way fails with an AbortError. */
  end() {
    this.#jwt = '';
    this.#over.abort();
  }

  get ended() {
    return this.#over.signal.aborted;
  }

  /** @returns {Promise<{access_token: string, api_base_url?: string}>} */
  token() {
    return this.#call('POST', '/v1/token', { body: {} });
  }

  /**
   * @param {{data: unknown, metadata: unknown}} payload
   * @param {string} key the same for every attempt to save the same thing
   * @returns {Promise<Summary>}
   */
  save(payload, key) {
    return this.#call('POST', '/v1/portfolios', { body: payload, headers: { 'Idempotency-Key': `"${key}"` } });
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

  /** @returns {Promise<Download>} the holdings as a table */
  table(/** @type {string} */ id) {
    return this.#call('GET', `/v1/portfolios/${encodeURIComponent(id)}/holdings`, { file: true, headers: { Accept: 'text/csv' } });
  }

  /** @returns {Promise<Download>} everything that the broker keeps about the user */
  exportMe() {
    return this.#call('GET', '/v1/me/export', { file: true });
  }

  /** @returns {Promise<{erased: {portfolios: number, grants: number}}>} */
  eraseMe() {
    return this.#call('DELETE', '/v1/me');
  }

  #post(path, body) {
    return send('POST', path, { body, signal: this.#over.signal });
  }

  /** A call as the user. A JWT that has run out is renewed once, unseen. */
  async #call(method, path, how = {}) {
    if (!this.#jwt) await this.signIn();
    const once = () =>
      send(method, path, { ...how, headers: { ...how.headers, Authorization: `Bearer ${this.#jwt}` }, signal: this.#over.signal });
    try {
      return await once();
    } catch (error) {
      if (error.status !== 401 || this.ended) throw error;
      await this.signIn();
      return once();
    }
  }
}

/** One request: its JSON, or a Download when a file is wanted, or a BrokerError. */
async function send(method, path, { body, headers = {}, signal, file = false } = {}) {
  const init = { method, headers: { Accept: 'application/json', ...headers }, signal, cache: 'no-store' };
  if (body !== undefined) {
    init.headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  let answer, content;
  try {
    answer = await fetch(path, init);
    content = await (file && answer.ok ? answer.blob() : answer.text());
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new BrokerError({ status: 0, code: 'network' });
  }
  if (!answer.ok) throw failed(answer, content);
  if (file) return { blob: content, name: fileName(answer) };
  return content === '' ? undefined : parse(content, answer);
}

/** What the broker calls a file. */
function fileName(answer) {
  return /filename="([^"]+)"/.exec(answer.headers.get('Content-Disposition') ?? '')?.[1] ?? 'download';
}

function parse(text, answer) {
  try {
    return JSON.parse(text);
  } catch {
    throw new BrokerError({ status: 502, code: 'unreadable', requestId: requestID(answer) });
  }
}

/** The BrokerError for a problem+json answer, or for whatever else it is. */
function failed(answer, text) {
  let problem = {};
  try {
    problem = JSON.parse(text) ?? {};
  } catch {
    // a proxy's page, perhaps: the status has to do
  }
  return new BrokerError({
    status: answer.status,
    code: problem.code ?? `http_${answer.status}`,
    detail: problem.detail,
    requestId: problem.request_id ?? requestID(answer),
    retryAfter: Number.parseInt(answer.headers.get('Retry-After') ?? '', 10) || 0,
  });
}

function requestID(answer) {
  return answer.headers.get('X-Request-ID') ?? '';
}
