/** What portfolio-connect.js loads when the widget is about to be opened. */

import { Dialog } from './dialog.js';
import { done } from './done.js';
import { widgetError } from './errors.js';
import { home } from './home.js';
import { validate } from './options.js';

/** @typedef {import('./portfolio-connect').Options} Options */
/** @typedef {import('./portfolio-connect').Result} Result */

/**
 * Opens the widget.
 * @param {Options} options
 * @param {(data: unknown) => import('./portfolio-connect').PortfolioSummary} summarize
 * @returns {{result: Promise<Result>, close(): void}}
 */
export function show(options, summarize) {
  /** @type {Dialog} */
  let dialog;
  const result = new Promise((resolve) => {
    dialog = new Dialog(options, resolve);
    dialog.summaryStep = (data) => done(dialog, summarize(data));
    dialog.go(home(dialog));
    dialog.emit('WIDGET_OPENED');
    dialog.call('onOpen');
  });
  return { result, close: () => dialog.end() };
}

/**
 * Returns the error for options that are not valid, undefined for valid ones.
 * @param {Options} options
 * @param {boolean} isOpen whether a widget is open already
 */
export function refuse(options, isOpen) {
  const message = isOpen ? 'The widget is already open.' : validate(options);
  return message ? widgetError('UNKNOWN', { message, retryable: false }) : undefined;
}
