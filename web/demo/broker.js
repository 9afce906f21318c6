/** The calls of the broker's HTTP API that show and delete data; connect.js makes those that import. */

import { Session, send } from './session.js';

/** @returns {Promise<import('./types.d.ts').Config>} the demo's configuration */
export function readConfig() {
  return send('GET', '/demo/config');
}

/** A user's session with the calls that this app makes. */
export class Broker extends Session {
  /**
   * Returns what the user owns, with all rows.
   * @param {number} owner number of one person; 0 for all
   * @returns {Promise<import('./types.d.ts').Owned>}
   */
  async owned(owner) {
    const read = (/** @type {string | null} */ cursor) => this.call('GET', `/v1/holdings${query({ owner: owner || null, cursor })}`);
    const all = await read(null);
    for (let cursor = all.next_cursor; cursor !== null;) {
      const page = await read(cursor);
      all.holdings.push(...page.holdings);
      cursor = page.next_cursor;
    }
    return all;
  }

  /** @returns {Promise<import('./types.d.ts').Download>} the same as CSV */
  ownedCSV(/** @type {number} */ owner) {
    return this.call('GET', `/v1/holdings${query({ owner: owner || null })}`, asCSV);
  }

  /** @returns {Promise<import('./types.d.ts').Point[]>} the total of a person over time, by month; owner as in owned */
  async worth(/** @type {number} */ owner) {
    return (await this.call('GET', `/v1/worth${query({ owner: owner || null })}`)).points;
  }

  /** @returns {Promise<{portfolios: import('./types.d.ts').Summary[], next_cursor: string | null}>} */
  statements(/** @type {string | null} */ cursor) {
    return this.call('GET', `/v1/portfolios${query({ limit: 20, cursor })}`);
  }

  /** @returns {Promise<import('./types.d.ts').Portfolio>} */
  statement(/** @type {string} */ id) {
    return this.call('GET', at(id));
  }

  /** @returns {Promise<import('./types.d.ts').Changes>} */
  changes(/** @type {string} */ id) {
    return this.call('GET', `${at(id)}/changes`);
  }

  /** @returns {Promise<void>} */
  remove(/** @type {string} */ id) {
    return this.call('DELETE', at(id));
  }

  /**
   * @param {string} id
   * @param {string} holding the id of one holding; '' for all
   * @param {string | null} cursor
   * @returns {Promise<{transactions: import('./types.d.ts').Transaction[], next_cursor: string | null}>}
   */
  transactions(id, holding, cursor) {
    return this.call('GET', `${at(id)}/transactions${query({ limit: 25, holding: holding || null, cursor })}`);
  }

  /** @returns {Promise<import('./types.d.ts').Download>} the holdings of a statement as CSV */
  holdingsCSV(/** @type {string} */ id) {
    return this.call('GET', `${at(id)}/holdings`, asCSV);
  }

  /** @returns {Promise<import('./types.d.ts').Download>} all data that the broker stores about the user */
  exportMe() {
    return this.call('GET', '/v1/me/export', { file: true });
  }

  /** @returns {Promise<{erased: {portfolios: number, grants: number}}>} */
  eraseMe() {
    return this.call('DELETE', '/v1/me');
  }

  /** Ends the user's access tokens for imports, on all devices. */
  revoke() {
    return this.call('POST', '/v1/token/revoke');
  }
}

const asCSV = { file: true, headers: { Accept: 'text/csv' } };

const at = (/** @type {string} */ id) => `/v1/portfolios/${encodeURIComponent(id)}`;

/** Returns a query string of the values that are not null. */
function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null);
  return given.length > 0 ? `?${new URLSearchParams(given)}` : '';
}
