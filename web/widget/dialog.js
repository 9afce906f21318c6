/** The widget's dialog: one import, from choosing a file to its result. */

import { fault, fromThrown } from './faults.js';
import { markup, sheet } from './look.js';
import { inspect, parse } from './parse.js';

/** @typedef {import('./portfolio-connect').Options} Options */
/** @typedef {import('./portfolio-connect').Result} Result */
/** @typedef {import('./portfolio-connect').WidgetError} WidgetError */

const senders = { CDSL: ['CDSL'], NSDL: ['NSDL'], CAMS_KFINTECH: ['CAMS', 'KFintech'] };

/**
 * Shows the dialog and resolves once the person is done with it.
 * @param {Options} options
 * @returns {Promise<Result>}
 */
export function show(options) {
  return new Promise((resolve) => new Dialog(options, resolve));
}

class Dialog {
  /** @type {File | undefined} */
  #file;
  /** @type {WidgetError | undefined} what the last attempt ended with */
  #error;
  /** @type {AbortController | undefined} while an attempt is under way */
  #attempt;

  constructor(/** @type {Options} */ options, /** @type {(r: Result) => void} */ resolve) {
    this.options = options;
    this.config = options.config ?? {};
    this.resolve = resolve;
    this.host = document.createElement('div');
    this.host.dataset.testid = 'widget';
    this.root = this.host.attachShadow({ mode: 'open' });
    this.root.adoptedStyleSheets = [sheet];
    this.root.innerHTML = markup;
    this.dialog = this.root.querySelector('dialog');
    this.#dress();
    this.#listen();
    document.body.append(this.host);
    this.dialog.showModal();
    this.#at('file').focus();
    this.#tell('WIDGET_OPENED', {});
  }

  #at(id) {
    return this.root.getElementById(id);
  }

  /** Puts the app's configuration into the markup. */
  #dress() {
    const { title, logoUrl, theme, prefill } = this.config;
    if (title) this.#at('title').textContent = title;
    if (logoUrl) {
      this.#at('logo').src = logoUrl;
      this.#at('logo').hidden = false;
    }
    const { mode, primaryColor } = typeof theme === 'object' ? (theme ?? {}) : { mode: theme };
    this.dialog.dataset.theme = mode ?? 'auto';
    if (primaryColor && CSS.supports('color', primaryColor)) {
      this.dialog.style.setProperty('--accent', primaryColor);
    }
    this.#at('sources').textContent = listed(this.#allowed());
    if (prefill?.pan) this.#at('password').value = prefill.pan.toUpperCase();
    const { enableGenerator, enableCdslFetch, enableInbox, enableInboundEmail } = this.config;
    this.#at('note').hidden = !(enableGenerator || enableCdslFetch || enableInbox || enableInboundEmail);
  }

  #allowed() {
    const { allowedTypes } = this.config;
    return allowedTypes?.length ? allowedTypes : Object.keys(senders);
  }

  #listen() {
    const drop = this.root.querySelector('.drop');
    const over = (on) => (event) => {
      event.preventDefault();
      drop.classList.toggle('over', on && !this.#attempt);
    };
    this.dialog.addEventListener('dragover', over(true));
    this.dialog.addEventListener('dragleave', over(false));
    this.dialog.addEventListener('drop', (event) => {
      over(false)(event);
      this.#choose(event.dataTransfer?.files[0]);
    });
    this.#at('file').addEventListener('change', (event) => this.#choose(event.target.files[0]));
    this.#at('password').addEventListener('input', () => this.#at('password').removeAttribute('aria-invalid'));
    this.#at('reveal').addEventListener('click', () => this.#reveal(this.#at('password').type === 'password'));
    this.root.querySelector('form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.dialog.addEventListener('cancel', (event) => {
      if (event.target !== this.dialog) return; // the file chooser's own cancel bubbles here
      event.preventDefault();
      this.#leave();
    });
    for (const id of ['close', 'cancel']) this.#at(id).addEventListener('click', () => this.#leave());
  }

  async #choose(/** @type {File | undefined} */ file) {
    if (!file || this.#attempt) return;
    const wrong = await inspect(file);
    if (wrong) {
      this.#fail(wrong, 'file');
      return;
    }
    this.#file = file;
    this.#clear();
    this.#at('ask').textContent = file.name;
    this.#at('picked').textContent = `${size(file.size)} · choose another`;
    this.root.querySelector('.drop').classList.add('filled');
    this.#tell('FILE_SELECTED', { filename: file.name, size: file.size });
    this.#at('password').focus();
  }

  #reveal(on) {
    this.#at('password').type = on ? 'text' : 'password';
    this.#at('reveal').textContent = on ? 'Hide' : 'Show';
    this.#at('reveal').setAttribute('aria-pressed', String(on));
  }

  async #submit() {
    if (this.#attempt) return;
    const password = this.#at('password').value;
    if (!this.#file) {
      this.#say({ title: 'Choose your statement first', message: 'It is the PDF that came by email.' }, 'file');
    } else if (password === '') {
      this.#say({ title: 'Type the statement’s password', message: 'Usually your PAN in capitals.' }, 'password');
    } else {
      await this.#try(this.#file, password);
    }
  }

  /** One attempt: ends the dialog, or leaves it open for the next. */
  async #try(/** @type {File} */ file, /** @type {string} */ password) {
    const attempt = new AbortController();
    const began = performance.now();
    this.#clear();
    this.#busy(attempt);
    this.#tell('UPLOAD_STARTED', { filename: file.name });
    try {
      const data = await this.#send(file, password, attempt.signal);
      if (attempt.signal.aborted) return;
      const type = this.#check(data);
      const took = Math.round(performance.now() - began);
      this.#tell('PARSE_SUCCESS', { cas_type: type, parse_duration_ms: took });
      const metadata = { filename: file.name, parser_type: type, parse_duration_ms: took };
      this.#finish({ status: 'success', data, metadata });
    } catch (thrown) {
      if (attempt.signal.aborted) return;
      this.#busy(undefined);
      this.#fail(fromThrown(thrown), thrown?.code === 'INVALID_PASSWORD' ? 'password' : 'parse');
    }
  }

  #send(file, password, signal) {
    const progress = (percent) => this.#progress(percent, signal);
    if (!this.options.onSubmit) return parse(this.options, file, password, progress, signal);
    const input = { kind: 'file', file, filename: file.name, source: 'UPLOAD' };
    return this.options.onSubmit(input, password, progress);
  }

  /** The statement's type; throws when the app does not take it. */
  #check(data) {
    const type = String(data?.meta?.cas_type ?? data?.cas_type ?? 'UNKNOWN').toUpperCase();
    if (type !== 'UNKNOWN' && !this.#allowed().includes(type)) {
      throw fault('PARSE_ERROR', {
        title: 'This kind of statement is not taken here',
        message: `It comes from ${listed([type])}.`,
        remediation: `Choose one from ${listed(this.#allowed())}.`,
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
      bar.removeAttribute('value'); // what follows has no measure
      this.#at('status').textContent = 'Reading the statement. This takes up to half a minute…';
    }
    this.#tell('UPLOAD_PROGRESS', { percent });
  }

  #busy(/** @type {AbortController | undefined} */ attempt) {
    this.#attempt = attempt;
    const on = attempt !== undefined;
    for (const id of ['file', 'password', 'reveal', 'parse']) this.#at(id).disabled = on;
    this.#at('parse').textContent = on ? 'Parsing…' : 'Parse statement';
    this.#at('progress').hidden = !on;
    this.root.querySelector('progress').removeAttribute('value');
    this.#at('status').textContent = on ? 'Sending the statement…' : '';
  }

  #clear() {
    this.#error = undefined;
    this.#at('error').hidden = true;
    this.#at('password').removeAttribute('aria-invalid');
  }

  /** Tells of a failed attempt; one that no retry can mend ends the dialog. */
  #fail(/** @type {WidgetError} */ error, focus) {
    this.#tell('PARSE_ERROR', { code: error.code, retryable: error.retryable });
    if (!error.retryable) {
      this.#finish({ status: 'error', error });
      return;
    }
    this.#error = error;
    this.#say(error, focus);
  }

  #say({ title, message, remediation, details }, focus) {
    const box = this.#at('error');
    box.hidden = false;
    box.querySelector('strong').textContent = title;
    box.querySelector('span').textContent = [message, remediation].filter(Boolean).join(' ');
    box.querySelector('small').textContent = details?.requestId ? `Request ${details.requestId}` : '';
    if (focus === 'password') {
      this.#at('password').setAttribute('aria-invalid', 'true');
      this.#at('password').select();
    }
    this.#at(focus).focus();
    box.scrollIntoView({ block: 'nearest' });
  }

  /** The person gives up: after a failed attempt that is an error, else just closing. */
  #leave() {
    this.#attempt?.abort();
    this.#finish(this.#error ? { status: 'error', error: this.#error } : { status: 'closed' });
  }

  #finish(/** @type {Result} */ result) {
    this.#at('password').value = '';
    this.dialog.close();
    this.host.remove();
    this.#tell('WIDGET_CLOSED', {});
    this.resolve(result);
  }

  /** Tells the app of an event. What its listener throws is the app's, not ours. */
  #tell(event, metadata) {
    try {
      this.options.onEvent?.(event, metadata);
    } catch (thrown) {
      reportError(thrown);
    }
  }
}

/** Who sends statements of these types: "CDSL, CAMS or KFintech". */
function listed(types) {
  return new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(types.flatMap((type) => senders[type] ?? [type]));
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1000))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
