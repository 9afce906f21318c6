/**
 * A stand-in for the vendor's standalone Portfolio Connect script, for work
 * without a network. It sets the same global, accepts the same options and calls
 * the same API, but only imports uploaded PDFs. See portfolio-connect.d.ts for the
 * types and ../README.md for the contract.
 */
(() => {
  'use strict';

  const modules = Promise.all([import('./dialog.js'), import('./errors.js')]);
  modules.catch(() => {}); // open() reports it
  let isOpen = false;

  /**
   * Shows the widget and resolves when the user has finished. It never rejects:
   * a failure is a result of status "error".
   * @param {import('./portfolio-connect').Options} options
   * @returns {Promise<import('./portfolio-connect').Result>}
   */
  async function open(options) {
    let dialog, errors;
    try {
      [dialog, errors] = await modules;
    } catch {
      return { status: 'error', error: notLoaded() };
    }
    const message = validate(options);
    if (message) {
      return { status: 'error', error: errors.widgetError('UNKNOWN', { message, retryable: false }) };
    }
    isOpen = true;
    try {
      return await dialog.show(options);
    } finally {
      isOpen = false;
    }
  }

  /** Returns what is wrong with the options, for the developer, or ''. */
  function validate(options) {
    if (isOpen) return 'The widget is already open.';
    if (typeof options?.accessToken !== 'string' || options.accessToken === '') {
      return 'PortfolioConnect.open requires an accessToken.';
    }
    for (const name of ['onEvent', 'onSubmit']) {
      if (options[name] !== undefined && typeof options[name] !== 'function') {
        return `PortfolioConnect.open: ${name} must be a function.`;
      }
    }
    return '';
  }

  /** The error for modules that failed to load, errors.js among them. */
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

  globalThis.PortfolioConnect = Object.freeze({ open });
})();
