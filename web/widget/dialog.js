/** The widget's dialog: its frame, and the step that it shows. */

import { API } from './api.js';
import { el, icon } from './dom.js';
import { fromException } from './errors.js';
import { complete } from './options.js';
import { styleSheet, themeSheet } from './style.js';

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
 * @property {string} [failure] the event of an error
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
  #step;
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

  /**
   * @param {Options} options
   * @param {(r: Result) => void} resolve called once it is closed
   */
  constructor(options, resolve) {
    this.options = options;
    this.config = complete(options.config);
    this.api = new API(options);
    this.#resolve = resolve;
    this.#build();
    this.#listen();
    document.body.append(this.host);
    this.dialog.showModal();
  }

  #build() {
    const { logoUrl, theme, hideFooter, title } = this.config;
    const part = (id, tag, attributes, ...children) => (this[id] = el(tag, { id, testid: id, ...attributes }, ...children));
    part('dialog', 'dialog', { 'aria-labelledby': 'title', testid: 'widget-dialog', 'data-theme': theme?.mode ?? theme ?? 'auto' },
      part('form', 'form', { novalidate: true },
        el('div', { class: 'head' },
          part('back', 'button', { type: 'button', class: 'icon', 'aria-label': 'Back', hidden: true }, icon('M12 4 6 10l6 6', 20)),
          logoUrl && el('img', { id: 'logo', src: logoUrl, alt: '', width: 32, height: 32 }),
          part('title', 'h2', { tabindex: -1 }, title),
          part('close', 'button', { type: 'button', class: 'icon', 'aria-label': 'Close' }, icon('m5 5 10 10M15 5 5 15', 20))),
        part('subtitle', 'p', {}),
        part('body', 'div', {}),
        part('error', 'div', { role: 'alert', tabindex: -1, hidden: true }, el('strong'), ' ', el('span'), el('small')),
        part('bar', 'progress', { max: 100, testid: 'progress', 'aria-label': 'Import', hidden: true }),
        part('status', 'p', { role: 'status', tabindex: -1 }),
        el('div', { class: 'foot' },
          part('cancel', 'button', { type: 'button' }, 'Cancel'),
          part('parse', 'button', { type: 'submit', class: 'primary' })),
        !hideFooter && el('p', { class: 'by' }, 'A stand-in for CAS Parser’s widget.')));
    this.host = el('div', { testid: 'widget' });
    const root = this.host.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [styleSheet, themeSheet(theme)];
    root.append(this.dialog);
  }

  #listen() {
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.dialog.addEventListener('cancel', (event) => {
      if (event.target !== this.dialog) return; // the file chooser's own cancel bubbles here
      event.preventDefault();
      this.end();
    });
    this.dialog.addEventListener('close', () => this.end()); // a second Escape cannot be prevented
    this.back.addEventListener('click', () => this.go(this.#step.back()));
    for (const button of [this.close, this.cancel]) button.addEventListener('click', () => this.end());
  }

  /** Shows a step. */
  go = (/** @type {Step} */ step) => {
    if (this.#closed) return;
    this.#shown.abort();
    this.#shown = new AbortController();
    this.#step = step;
    this.#setBusy(undefined);
    this.clear();
    this.dialog.dataset.step = step.name;
    this.title.textContent = step.title;
    this.subtitle.textContent = step.subtitle ?? '';
    this.body.replaceChildren(...step.body.filter((node) => node !== undefined));
    this.back.hidden = !step.back;
    this.parse.hidden = !step.action;
    this.parse.textContent = step.action ?? '';
    this.cancel.hidden = this.#result !== undefined; // there is nothing left to cancel
    this.status.textContent = step.status ?? '';
    (this.#empty() ?? step.focus ?? this.title).focus();
    this.dialog.scrollTop = 0;
    step.start?.(this.#shown.signal);
  };

  /** Returns the first field that is to be filled in, unless the step begins with something else. */
  #empty() {
    const fields = [...this.body.querySelectorAll('.field input')];
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
      this.bar.value = percent;
      return;
    }
    this.bar.removeAttribute('value');
    this.status.textContent = 'Reading the statement. This takes up to half a minute…';
  };

  #setBusy(/** @type {AbortController | undefined} */ attempt) {
    this.#attempt = attempt;
    const on = attempt !== undefined;
    this.dialog.dataset.busy = String(on);
    this.bar.hidden = !on;
    this.bar.removeAttribute('value');
    this.status.textContent = on ? this.#step.busy : (this.#step?.status ?? '');
    if (on) this.status.focus(); // what had the focus is disabled now
    for (const input of this.form.querySelectorAll('#body :is(input, button, select), #parse, #back')) input.disabled = on;
  }

  /** Takes the last error away. */
  clear() {
    this.#error = undefined;
    this.error.hidden = true;
    for (const input of this.body.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
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

  #showError({ title, message, remediation, details }, /** @type {any} */ input) {
    const [strong, span, small] = this.error.children;
    strong.textContent = title;
    span.textContent = [message, remediation].filter(Boolean).join(' ');
    small.textContent = details?.requestId ? `Request ${details.requestId}` : '';
    this.error.hidden = false;
    if (input) {
      input.setAttribute('aria-invalid', 'true');
      input.select?.();
    }
    (input ?? this.error).focus();
    this.error.scrollIntoView({ block: 'nearest' });
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
    for (const input of this.form.querySelectorAll('input')) input.value = '';
    this.dialog.close(); // gives the focus back
    this.host.remove();
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
