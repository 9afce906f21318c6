/**
 * A stand-in for the vendor's standalone Portfolio Connect script, for work without a
 * network. It sets the same global, accepts the same options and calls the same API. See
 * portfolio-connect.d.ts for the types and ../README.md for the contract.
 */
(() => {
  'use strict';

  const channelName = 'portfolio-connect-inbox';
  const loading = typeof document === 'undefined' ? undefined : import('./main.js');
  loading?.catch(() => {}); // open() reports it
  /** @type {{result: Promise<any>, close(): void} | undefined} */
  let current;

  /**
   * Shows the widget and resolves when the user has finished. It never rejects: a failure
   * is a result of status "error".
   */
  function open(options) {
    return start(options).result;
  }

  /** Returns a handle that opens the widget and, with destroy, closes it. */
  function create(options) {
    /** @type {ReturnType<typeof start> | undefined} */
    let own;
    return {
      open() {
        own = start(options);
        return own.result;
      },
      destroy() {
        own?.close();
        own = undefined;
      },
    };
  }

  function start(options) {
    let closed = false;
    let own;
    const result = (async () => {
      let main;
      try {
        main = await (loading ?? import('./main.js'));
      } catch {
        return failed(options, notLoaded());
      }
      if (closed) return { status: 'closed' };
      const error = main.refuse(options, current !== undefined);
      if (error) return failed(options, error);
      own = current = main.show(options, extractPortfolioSummary);
      try {
        return await own.result;
      } finally {
        current = undefined;
      }
    })();
    return {
      result,
      close() {
        closed = true;
        own?.close();
      },
    };
  }

  function failed(options, error) {
    try {
      options?.onError?.(error);
    } catch (exception) {
      reportError(exception);
    }
    return { status: 'error', error };
  }

  /** The error for modules that failed to load. */
  function notLoaded() {
    return {
      code: 'NETWORK',
      title: 'The importer did not load',
      message: 'A part of the importer could not be downloaded.',
      remediation: 'Check the connection and reload the page.',
      retryable: false,
      details: {},
    };
  }

  /** Reports whether this page is where the mail provider sent the browser back to. */
  function isInboxCallbackPage() {
    const query = new URLSearchParams(globalThis.location?.search);
    return /^pc_\d+$/.test(query.get('state') ?? '') && (query.has('inbox_token') || query.has('error'));
  }

  /**
   * Tells the widget, in the window that it is open in, what the mail provider answered,
   * and closes this one. It reports whether this is such a page. The channel reaches pages
   * of the same origin only.
   */
  function handleInboxCallback() {
    if (!isInboxCallbackPage()) return false;
    const here = new URL(location.href);
    const answer = {};
    for (const name of ['inbox_token', 'email', 'state', 'error']) {
      answer[name] = here.searchParams.get(name) ?? undefined;
      here.searchParams.delete(name); // one is a secret
    }
    history.replaceState(null, '', here);
    const channel = new BroadcastChannel(channelName);
    channel.addEventListener('message', ({ data }) => {
      if (data?.received === answer.state) globalThis.close();
    });
    channel.postMessage(answer);
    return true;
  }

  /** Returns the main figures of a result, of whichever form it is. */
  function extractPortfolioSummary(data) {
    const d = data?.raw_response ?? data ?? {};
    const accounts = Object.values(d.summary?.accounts ?? {}).reduce((sum, { count }) => sum + (count ?? 0), 0);
    return {
      investorName: d.investor?.name ?? data?.investor_info?.name,
      pan: d.investor?.pan ?? data?.investor_info?.pan,
      casType: (d.meta?.cas_type ?? data?.cas_type)?.toUpperCase(),
      totalValue: d.summary?.total_value ?? data?.summary?.total_value,
      asOnDate: d.meta?.statement_period?.to ?? data?.summary?.as_on_date,
      accounts: accounts || (data?.folios?.length ?? 0),
      holdings: holdings(d) || (data?.holdings?.length ?? 0),
    };
  }

  /** Returns the number of holdings, schemes, funds and policies in a UnifiedResponse. */
  function holdings({ demat_accounts: demat = [], mutual_funds: folios = [], nps = [], insurance }) {
    const lists = [...demat.flatMap((a) => Object.values(a.holdings ?? {})), ...folios.map((f) => f.schemes), ...nps.map((n) => n.funds),
      insurance?.life_insurance_policies];
    return lists.reduce((sum, list) => sum + (list?.length ?? 0), 0);
  }

  /** @type {any} */ (globalThis).PortfolioConnect = Object.freeze({ open, create, handleInboxCallback, isInboxCallbackPage, extractPortfolioSummary });
})();
