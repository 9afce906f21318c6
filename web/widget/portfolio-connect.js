/**
 * A stand-in for the vendor's standalone Portfolio Connect script, for work
 * without a network. It sets the same global, takes the same options and speaks
 * the same protocol; only the upload of a PDF is offered. See
 * portfolio-connect.d.ts for the types and ../README.md for the contract.
 */
(() => {
  'use strict';

  const parts = Promise.all([import('./dialog.js'), import('./faults.js')]);
  parts.catch(() => {}); // open() tells of it
  let shown = false;

  /**
   * Shows the widget and settles once the person is done with it. It never
   * rejects: whatever goes wrong is a result of status "error".
   * @param {import('./portfolio-connect').Options} options
   * @returns {Promise<import('./portfolio-connect').Result>}
   */
  async function open(options) {
    let dialog, faults;
    try {
      [dialog, faults] = await parts;
    } catch {
      return { status: 'error', error: notLoaded() };
    }
    const wrong = refuse(options);
    if (wrong) {
      return { status: 'error', error: faults.fault('UNKNOWN', { message: wrong, retryable: false }) };
    }
    shown = true;
    try {
      return await dialog.show(options);
    } finally {
      shown = false;
    }
  }

  /** What is wrong with the options, in words for the developer, or nothing. */
  function refuse(options) {
    if (shown) return 'The widget is already open.';
    if (typeof options?.accessToken !== 'string' || options.accessToken === '') {
      return 'PortfolioConnect.open needs an accessToken.';
    }
    for (const name of ['onEvent', 'onSubmit']) {
      if (options[name] !== undefined && typeof options[name] !== 'function') {
        return `PortfolioConnect.open: ${name} has to be a function.`;
      }
    }
    return '';
  }

  /** The one failure that cannot come from faults.js, which did not load either. */
  function notLoaded() {
    return {
      code: 'NETWORK',
      title: 'The importer did not load',
      message: 'A part of the importer could not be fetched.',
      remediation: 'Check the connection and reload the page.',
      retryable: false,
      details: {},
    };
  }

  globalThis.PortfolioConnect = Object.freeze({ open });
})();
