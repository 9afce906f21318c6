/**
 * Finds what the broker has saved of an import without the page: what was parsed through its
 * gateway. All tabs and devices of a user may share a grant, so not every call of it is of this
 * import. connect.js loads it unless the app has routes of its own.
 */

export function createGrants({ base, call, failure }) {
  /** Returns the parses under the entry's grant that are not older than entry. It throws if the user is another. */
  async function parses({ grant, before = [] }) {
    const { calls } = await call('GET', `${base}/v1/grants/${grant}`).catch((error) => {
      throw error.status === 404 ? failure('other_user', { status: 404 }) : error;
    });
    return calls.filter((c) => /_parser$/.test(c.feature) && !before.includes(c.id));
  }

  return {
    /** Notes in entry which parses are older, unless one of its own has started meanwhile. It does not reject. */
    async begin(entry) {
      const older = entry.gateway && (await parses(entry).catch(() => undefined));
      if (older && !entry.starts) entry.before = older.map((c) => c.id);
    },

    /**
     * Returns the portfolio that was saved of data, or if the page has none, of the only parses since entry began; undefined if that
     * is not sure. It sets whether such a parse is pending.
     */
    async find(entry, data) {
      if (!entry.grant || (!entry.gateway && entry.who)) return undefined;
      const calls = await parses(entry);
      const sure = data !== undefined || (entry.before && calls.length === (entry.starts || 1));
      entry.pending = Boolean(sure) && calls.some((c) => !c.ended_at);
      const id = sure && calls.findLast((c) => c.portfolio_id)?.portfolio_id;
      const portfolio = id ? await call('GET', `${base}/v1/portfolios/${id}`) : undefined;
      return data === undefined || (portfolio && fits(portfolio, data)) ? portfolio : undefined;
    },
  };
}

/** Reports whether portfolio is surely of data: the same source, period and total. */
function fits({ cas_type, period, total_value }, { meta, summary }) {
  const { from, to } = meta?.statement_period ?? {};
  return Number(total_value) > 0 && String([cas_type, period?.from, period?.to, Number(total_value)]) === String([meta?.cas_type, from, to, Number(summary?.total_value)]);
}
