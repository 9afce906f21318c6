/** connect.js as the element <portfolio-connect-button>, for pages without a framework. */

import { createConnect } from '../connect.js';

/** Elements of a server, which render nothing. */
const Base = globalThis.HTMLElement ?? class {};

export class PortfolioConnectButton extends Base {
  /** @type {import('../connect.js').WidgetConfig | undefined} */
  config = this.config; // the page may have set it before this script was loaded
  #getUserToken;
  #given; // the page's Connect
  #made; // the one made from the attributes
  #button;
  #message;

  constructor() {
    super();
    for (const name of ['connect', 'getUserToken']) { // set before this script was loaded, they hide the accessors
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
  }

  get getUserToken() {
    return this.#getUserToken;
  }

  set getUserToken(getUserToken) {
    if (Boolean(getUserToken) !== Boolean(this.#getUserToken)) this.#made = undefined; // it has cookies instead, or the other way round
    this.#getUserToken = getUserToken;
  }

  get connect() {
    const text = (name) => this.getAttribute(name) ?? undefined;
    return this.#given ?? (this.#made ??= createConnect({
      brokerUrl: text('broker-url'), tokenUrl: text('token-url'), saveUrl: text('save-url'), user: text('user'), language: text('language') ?? this.#language(),
      upload: text('upload'), keepUnsaved: { null: false, session: 'session' }[this.getAttribute('keep-unsaved')] ?? true,
      widget: { nonce: this.nonce || undefined }, getUserToken: this.getUserToken && ((o) => this.getUserToken(o)),
    }));
  }

  set connect(connect) {
    this.#given = connect;
  }

  #language() {
    return this.closest('[lang]')?.lang.startsWith('hi') ? 'hi' : 'en';
  }

  connectedCallback() {
    if (this.shadowRoot) return;
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
    const sheet = new CSSStyleSheet(); // a style element would need the page's policy to allow it
    sheet.replaceSync(':host{display:inline-block}:host([hidden]){display:none}button{font:inherit;min-height:44px;padding:.5em 1em}p{margin:.5em 0 0}p:empty{display:none}');
    root.adoptedStyleSheets = [sheet];
    this.#button = Object.assign(document.createElement('button'), { type: 'button' });
    this.#button.part = 'button';
    this.#button.append(Object.assign(document.createElement('slot'), { textContent: this.#language() === 'hi' ? 'पोर्टफ़ोलियो इंपोर्ट करें' : 'Import portfolio' }));
    this.#message = document.createElement('p');
    this.#message.part = 'message';
    this.#message.setAttribute('role', 'status');
    root.append(this.#button, this.#message);
    this.#button.addEventListener('click', () => this.open());
    for (const name of ['pointerenter', 'focusin']) this.addEventListener(name, () => this.connect.prefetch().catch(() => {}), { once: true });
    if (!this.hasAttribute('keep-unsaved')) return;
    if (document.readyState === 'complete') queueMicrotask(() => this.#resume());
    else addEventListener('load', () => this.#resume(), { once: true }); // once the page's scripts have set the properties
  }

  async #resume() {
    const result = await this.connect.resume();
    if (result) this.#report(result);
  }

  /** Opens the widget and returns its result. */
  async open() {
    const text = this.getAttribute('config');
    const config = this.config ?? (text ? JSON.parse(text) : undefined);
    this.#message.textContent = '';
    this.#button.setAttribute('aria-busy', 'true');
    try {
      const result = await this.connect.open({ config });
      this.#report(result);
      return result;
    } finally {
      this.#button.removeAttribute('aria-busy');
    }
  }

  #report(result) {
    if (result.status === 'error') this.#message.textContent = `${result.error.title}. ${result.error.message} ${result.error.remediation}`;
    this.dispatchEvent(new CustomEvent(`portfolio-${result.status}`, { detail: result, bubbles: true, composed: true }));
  }
}

const registry = globalThis.customElements;
if (registry && !registry.get('portfolio-connect-button')) registry.define('portfolio-connect-button', PortfolioConnectButton);
