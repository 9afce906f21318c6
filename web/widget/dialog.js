/** The widget's dialog: one import, from the choice of a file to its result. */

import { fromException, widgetError } from './errors.js';
import { markup, styleSheet } from './template.js';
import { parse, validate } from './parse.js';

/** @typedef {import('./portfolio-connect').Options} Options */
/** @typedef {import('./portfolio-connect').Result} Result */
/** @typedef {import('./portfolio-connect').WidgetError} WidgetError */

const issuers = { CDSL: ['CDSL'], NSDL: ['NSDL'], CAMS_KFINTECH: ['CAMS', 'KFintech'] };

/**
 * Shows the dialog and resolves when the user has finished.
 * @param {Options} options
 * @returns {Promise<Result>}
 */
export function show(options) {
  return new Promise((resolve) => new Dialog(options, resolve));
}

class Dialog {
  /** @type {File | undefined} */
  #file;
  /** @type {WidgetError | undefined} error of the last attempt */
  #error;
  /** @type {AbortController | undefined} defined while an attempt is in progress */
  #attempt;

  constructor(/** @type {Options} */ options, /** @type {(r: Result) => void} */ resolve) {
    this.options = options;
    this.config = options.config ?? {};
    this.resolve = resolve;
    this.host = document.createElement('div');
    this.host.dataset.testid = 'widget';
    this.root = this.host.attachShadow({ mode: 'open' });
    this.root.adoptedStyleSheets = [styleSheet];
    this.root.innerHTML = markup;
    this.dialog = this.root.querySelector('dialog');
    this.#applyConfig();
    this.#addListeners();
    document.body.append(this.host);
    this.dialog.showModal();
    this.#element('file').focus();
    this.#emit('WIDGET_OPENED', {});
  }

  #element(id) {
    return this.root.getElementById(id);
  }

  /** Applies the app's configuration to the markup. */
  #applyConfig() {
    const { title, logoUrl, theme, prefill } = this.config;
    if (title) this.#element('title').textContent = title;
    if (logoUrl) {
      this.#element('logo').src = logoUrl;
      this.#element('logo').hidden = false;
    }
    const { mode, primaryColor } = typeof theme === 'object' ? (theme ?? {}) : { mode: theme };
    this.dialog.dataset.theme = mode ?? 'auto';
    if (primaryColor && CSS.supports('color', primaryColor)) {
      this.dialog.style.setProperty('--accent', primaryColor);
    }
    this.#element('sources').textContent = issuerList(this.#allowed());
    if (prefill?.pan) this.#element('password').value = prefill.pan.toUpperCase();
    const { enableGenerator, enableCdslFetch, enableInbox, enableInboundEmail } = this.config;
    this.#element('note').hidden = !(enableGenerator || enableCdslFetch || enableInbox || enableInboundEmail);
  }

  #allowed() {
    const { allowedTypes } = this.config;
    return allowedTypes?.length ? allowedTypes : Object.keys(issuers);
  }

  #addListeners() {
    const drop = this.root.querySelector('.drop');
    const setOver = (on) => (event) => {
      event.preventDefault();
      drop.classList.toggle('over', on && !this.#attempt);
    };
    this.dialog.addEventListener('dragover', setOver(true));
    this.dialog.addEventListener('dragleave', setOver(false));
    this.dialog.addEventListener('drop', (event) => {
      setOver(false)(event);
      this.#choose(event.dataTransfer?.files[0]);
    });
    this.#element('file').addEventListener('change', (event) => this.#choose(event.target.files[0]));
    this.#element('password').addEventListener('input', () => this.#element('password').removeAttribute('aria-invalid'));
    this.#element('reveal').addEventListener('click', () => this.#showPassword(this.#element('password').type === 'password'));
    this.root.querySelector('form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.dialog.addEventListener('cancel', (event) => {
      if (event.target !== this.dialog) return; // the file chooser's own cancel bubbles here
      event.preventDefault();
      this.#close();
    });
    for (const id of ['close', 'cancel']) this.#element(id).addEventListener('click', () => this.#close());
  }

  async #choose(/** @type {File | undefined} */ file) {
    if (!file || this.#attempt) return;
    const error = await validate(file);
    if (error) {
      this.#fail(error, 'file');
      return;
    }
    this.#file = file;
    this.#clear();
    this.#element('file-label').textContent = file.name;
    this.#element('file-detail').textContent = `${sizeText(file.size)} · choose another`;
    this.root.querySelector('.drop').classList.add('filled');
    this.#emit('FILE_SELECTED', { filename: file.name, size: file.size });
    this.#element('password').focus();
  }

  #showPassword(on) {
    this.#element('password').type = on ? 'text' : 'password';
    this.#element('reveal').textContent = on ? 'Hide' : 'Show';
    this.#element('reveal').setAttribute('aria-pressed', String(on));
  }

  async #submit() {
    if (this.#attempt) return;
    const password = this.#element('password').value;
    if (!this.#file) {
      this.#showError({ title: 'Choose your statement first', message: 'It is the PDF you received by email.' }, 'file');
    } else if (password === '') {
      this.#showError({ title: 'Enter the statement’s password', message: 'Usually your PAN in capitals.' }, 'password');
    } else {
      await this.#import(this.#file, password);
    }
  }

  /** Makes one attempt. It ends the dialog, or leaves it open for another attempt. */
  async #import(/** @type {File} */ file, /** @type {string} */ password) {
    const attempt = new AbortController();
    const start = performance.now();
    this.#clear();
    this.#setBusy(attempt);
    this.#emit('UPLOAD_STARTED', { filename: file.name });
    try {
      const data = await this.#send(file, password, attempt.signal);
      if (attempt.signal.aborted) return;
      const type = this.#check(data);
      const duration = Math.round(performance.now() - start);
      this.#emit('PARSE_SUCCESS', { cas_type: type, parse_duration_ms: duration });
      const metadata = { filename: file.name, parser_type: type, parse_duration_ms: duration };
      this.#finish({ status: 'success', data, metadata });
    } catch (exception) {
      if (attempt.signal.aborted) return;
      this.#setBusy(undefined);
      this.#fail(fromException(exception), exception?.code === 'INVALID_PASSWORD' ? 'password' : 'parse');
    }
  }

  #send(file, password, signal) {
    const progress = (percent) => this.#progress(percent, signal);
    if (!this.options.onSubmit) return parse(this.options, file, password, progress, signal);
    const input = { kind: 'file', file, filename: file.name, source: 'UPLOAD' };
    return this.options.onSubmit(input, password, progress);
  }

  /** Returns the statement's type; throws when the app does not accept it. */
  #check(data) {
    const type = String(data?.meta?.cas_type ?? data?.cas_type ?? 'UNKNOWN').toUpperCase();
    if (type !== 'UNKNOWN' && !this.#allowed().includes(type)) {
      throw widgetError('PARSE_ERROR', {
        title: 'This type of statement is not accepted here',
        message: `It comes from ${issuerList([type])}.`,
        remediation: `Choose one from ${issuerList(this.#allowed())}.`,
      });
    }
    return type;
  }

  #progress(percent, signal) {
    if (signal.aborted || !(percent >= 0)) return;
    const bar = this.root.querySelector('progress');
    if (percent < 100) {
      bar.value = percent;
    } else {
      bar.removeAttribute('value'); // parsing has no known progress
      this.#element('status').textContent = 'Reading the statement. This takes up to half a minute…';
    }
    this.#emit('UPLOAD_PROGRESS', { percent });
  }

  #setBusy(/** @type {AbortController | undefined} */ attempt) {
    this.#attempt = attempt;
    const on = attempt !== undefined;
    for (const id of ['file', 'password', 'reveal', 'parse']) this.#element(id).disabled = on;
    this.#element('parse').textContent = on ? 'Parsing…' : 'Parse statement';
    this.#element('progress').hidden = !on;
    this.root.querySelector('progress').removeAttribute('value');
    this.#element('status').textContent = on ? 'Sending the statement…' : '';
  }

  #clear() {
    this.#error = undefined;
    this.#element('error').hidden = true;
    this.#element('password').removeAttribute('aria-invalid');
  }

  /** Shows the error of an attempt. An error that is not retryable ends the dialog. */
  #fail(/** @type {WidgetError} */ error, focus) {
    this.#emit('PARSE_ERROR', { code: error.code, retryable: error.retryable });
    if (!error.retryable) {
      this.#finish({ status: 'error', error });
      return;
    }
    this.#error = error;
    this.#showError(error, focus);
  }

  #showError({ title, message, remediation, details }, focus) {
    const box = this.#element('error');
    box.hidden = false;
    box.querySelector('strong').textContent = title;
    box.querySelector('span').textContent = [message, remediation].filter(Boolean).join(' ');
    box.querySelector('small').textContent = details?.requestId ? `Request ${details.requestId}` : '';
    if (focus === 'password') {
      this.#element('password').setAttribute('aria-invalid', 'true');
      this.#element('password').select();
    }
    this.#element(focus).focus();
    box.scrollIntoView({ block: 'nearest' });
  }

  /** Closes the dialog for the user: with the error of the last attempt, if it failed. */
  #close() {
    this.#attempt?.abort();
    this.#finish(this.#error ? { status: 'error', error: this.#error } : { status: 'closed' });
  }

  #finish(/** @type {Result} */ result) {
    this.#element('password').value = '';
    this.dialog.close();
    this.host.remove();
    this.#emit('WIDGET_CLOSED', {});
    this.resolve(result);
  }

  /** Calls the app's event listener. An exception in it is reported as the app's own. */
  #emit(event, metadata) {
    try {
      this.options.onEvent?.(event, metadata);
    } catch (exception) {
      reportError(exception);
    }
  }
}

/** Returns the issuers of these statement types: "CDSL, CAMS or KFintech". */
function issuerList(types) {
  return new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(types.flatMap((type) => issuers[type] ?? [type]));
}

function sizeText(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1000))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
