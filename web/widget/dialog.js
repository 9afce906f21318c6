/** The widget's dialog: its frame, and the step that it shows. */

import { API } from './api.js';
import { fromException } from './errors.js';
import { makeFrame } from './frame.js';
import { complete } from './options.js';

/** @typedef {import('./portfolio-connect').Options} Options */
/** @typedef {import('./portfolio-connect').Result} Result */
/** @typedef {import('./portfolio-connect').WidgetError} WidgetError */

/**
 * @typedef {object} Step What the dialog shows between its head and its foot.
 * @property {string} name
 * @property {string} title
 * @property {string} [subtitle]
 * @property {(Node | undefined)[]} body
 * @property {HTMLElement} [focus] what gets the focus at first; the title if there is none
 * @property {() => Step} [back] the step before
 * @property {import('./portfolio-connect').EventName} [failure] the event of an error
 * @property {string} [status] what is going on while the step is shown
 * @property {(signal: AbortSignal) => void} [start] called when it is shown; the signal is aborted when it is left
 * @property {string} [action] the label of the button that submits the step
 * @property {string} [busy] what is going on while run is in progress
 * @property {() => {title: string, message: string, input: HTMLElement} | undefined} [check] returns what is missing
 * @property {(signal: AbortSignal) => Promise<void>} [run] submits the step
 * @property {(error: WidgetError) => HTMLElement | undefined} [inputOf] the input that an error is about
 */

/** An open widget. Steps get it as their session. */
export class Dialog {
  /** @type {Step} */
  #step = { name: '', title: '', body: [] };
  /** @type {AbortController} of the step */
  #shown = new AbortController();
  /** @type {AbortController | undefined} defined while an attempt is in progress */
  #attempt;
  /** @type {WidgetError | undefined} error of the last attempt */
  #error;
  /** @type {Result | undefined} */
  #result;
  #closed = false;
  #resolve;
  #frame;

  /**
   * @param {Options} options
   * @param {(r: Result) => void} resolve called once it is closed
   */
  constructor(options, resolve) {
    this.options = options;
    this.config = complete(options.config);
    this.api = new API(options);
    /** @type {((data: unknown) => Step) | undefined} the step after a success, if the app wants one */
    this.summaryStep = undefined;
    this.#resolve = resolve;
    this.#frame = makeFrame(this.config);
    this.#listen();
    document.body.append(this.#frame.host);
    this.#frame.dialog.showModal();
  }

  /** The element, for what a step has to hear of it. */
  get dialog() {
    return this.#frame.dialog;
  }

  /** Says what is going on. Screen readers read it out. */
  say(/** @type {string} */ text) {
    this.#frame.status.textContent = text;
  }

  #listen() {
    this.#frame.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#frame.dialog.addEventListener('cancel', (event) => {
      if (event.target !== this.#frame.dialog) return; // the file chooser's own cancel bubbles here
      event.preventDefault();
      this.end();
    });
    this.#frame.dialog.addEventListener('close', () => this.end()); // a second Escape cannot be prevented
    this.#frame.back.addEventListener('click', () => this.go(this.#step.back()));
    for (const button of [this.#frame.close, this.#frame.cancel]) button.addEventListener('click', () => this.end());
  }

  /** Shows a step. */
  go = (/** @type {Step} */ step) => {
    if (this.#closed) return;
    this.#shown.abort();
    this.#shown = new AbortController();
    this.#step = step;
    this.#setBusy(undefined);
    this.clear();
    this.#frame.dialog.dataset.step = step.name;
    this.#frame.title.textContent = step.title;
    this.#frame.subtitle.textContent = step.subtitle ?? '';
    this.#frame.body.replaceChildren(...step.body.filter((node) => node !== undefined));
    this.#frame.back.hidden = !step.back;
    this.#frame.submit.hidden = !step.action;
    this.#frame.submit.textContent = step.action ?? '';
    this.#frame.cancel.hidden = this.#result !== undefined; // there is nothing left to cancel
    this.#frame.status.textContent = step.status ?? '';
    (this.#empty() ?? step.focus ?? this.#frame.title).focus();
    this.#frame.dialog.scrollTop = 0;
    step.start?.(this.#shown.signal);
  };

  /** Returns the first field that is to be filled in, unless the step begins with something else. */
  #empty() {
    const fields = [...this.#frame.body.querySelectorAll('.field input')];
    return fields.includes(this.#step.focus) ? fields.find(({ value }) => value === '') : undefined;
  }

  async #submit() {
    const { run, check } = this.#step;
    if (this.#attempt || !run) return;
    const missing = check?.();
    if (missing) {
      this.#showError(missing, missing.input);
      return;
    }
    const attempt = new AbortController();
    const left = this.#shown.signal;
    left.addEventListener('abort', () => attempt.abort());
    this.clear();
    this.#setBusy(attempt);
    try {
      await run(attempt.signal);
    } catch (exception) {
      if (!left.aborted) this.fail(fromException(exception));
    } finally {
      if (!left.aborted) this.#setBusy(undefined);
    }
  }

  /** Shows how much of a file is sent. Nothing is known about the progress of parsing. */
  progress = (/** @type {number} */ percent) => {
    if (percent < 100) {
      this.#frame.progress.value = percent;
      return;
    }
    this.#frame.progress.removeAttribute('value');
    this.#frame.status.textContent = 'Reading the statement. This takes up to half a minute…';
  };

  #setBusy(/** @type {AbortController | undefined} */ attempt) {
    this.#attempt = attempt;
    const on = attempt !== undefined;
    this.#frame.dialog.dataset.busy = String(on);
    this.#frame.progress.hidden = !on;
    this.#frame.progress.removeAttribute('value');
    this.#frame.status.textContent = on ? this.#step.busy : (this.#step?.status ?? '');
    if (on) this.#frame.status.focus(); // what had the focus is disabled now
    for (const input of this.#frame.form.querySelectorAll('#body :is(input, button, select), #parse, #back')) input.disabled = on;
  }

  /** Takes the last error away. */
  clear() {
    this.#error = undefined;
    this.#frame.error.hidden = true;
    for (const input of this.#frame.body.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
  }

  /** Reports the error of a step. One that is not retryable ends the dialog. */
  fail = (/** @type {WidgetError} */ error) => {
    if (this.#closed) return;
    this.#setBusy(undefined);
    this.emit(this.#step.failure ?? 'PARSE_ERROR', { code: error.code, retryable: error.retryable });
    this.call('onError', error);
    this.#error = error;
    if (error.retryable) this.#showError(error, this.#step.inputOf?.(error));
    else this.end();
  };

  #showError(/** @type {Partial<WidgetError>} */ { title, message, remediation, details }, /** @type {any} */ input) {
    const [strong, span, small] = this.#frame.error.children;
    strong.textContent = title;
    span.textContent = [message, remediation].filter(Boolean).join(' ');
    small.textContent = details?.requestId ? `Request ${details.requestId}` : '';
    this.#frame.error.hidden = false;
    if (input) {
      input.setAttribute('aria-invalid', 'true');
      input.select?.();
    }
    (input ?? this.#frame.error).focus();
    this.#frame.error.scrollIntoView({ block: 'nearest' });
  }

  /**
   * Ends the import with a result, which the app gets at once.
   * @param {unknown} data
   * @param {import('./portfolio-connect').Metadata} metadata
   */
  succeed = (data, metadata) => {
    if (this.#closed) return;
    this.#result = { status: 'success', data, metadata };
    this.call('onSuccess', data, metadata);
    if (this.config.successBehavior === 'summary' && this.summaryStep) this.go(this.summaryStep(data));
    else this.end();
  };

  /** Closes the dialog. Without a result, it is the error of the last attempt, or "closed". */
  end = () => {
    if (this.#closed) return;
    this.#closed = true;
    this.#shown.abort();
    for (const input of this.#frame.form.querySelectorAll('input')) input.value = '';
    this.#frame.dialog.close(); // gives the focus back
    this.#frame.host.remove();
    this.emit('WIDGET_CLOSED', {});
    this.call('onExit');
    this.#resolve(this.#result ?? (this.#error ? { status: 'error', error: this.#error } : { status: 'closed' }));
  };

  /** Tells the app about an event. It never has a token, a password or statement data. */
  emit = (/** @type {import('./portfolio-connect').EventName} */ event, /** @type {Record<string, unknown>} */ metadata = {}) => {
    this.call('onEvent', event, metadata);
  };

  /** Calls the app. An exception in it is reported as the app's own. */
  call(/** @type {string} */ name, ...values) {
    try {
      this.options[name]?.(...values);
    } catch (exception) {
      reportError(exception);
    }
  }
}
