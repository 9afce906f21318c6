/** Imports of statements: opens the importer of connect.js, and says what came of it. */

import { createConnect } from '/connect.js';
import { byId } from './dom.js';
import { chosenMode } from './mode.js';
import { clearNotice, notify } from './notice.js';
import { count, ofOther, periodText, personName, sourceName } from './format.js';
import { provenanceName } from './provenance.js';

/** @typedef {import('./types.d.ts').Summary} Summary */
/** @typedef {import('./types.d.ts').Mode | 'server'} Way 'server': the broker has the PDF parsed, see POST /v1/statements */

const searchingAfter = 700; // ms
const searching = {
  kind: 'busy', title: 'Looking for your last import…',
  text: 'The page was closed before it had finished. If your statement reached this service, it appears here.',
};

/** The imports of one user's session. */
export class Imports {
  /** @type {Map<Way, import('/connect.js').Connect>} */
  #connects = new Map();

  /**
   * @param {import('./session.js').Session} session
   * @param {import('./types.d.ts').Config} config
   * @param {object} page
   * @param {() => Summary[]} page.known returns the statements before, newest first
   * @param {() => Promise<boolean>} page.refresh shows what was saved; returns whether it could
   */
  constructor(session, config, page) {
    Object.assign(this, { session, config, page });
  }

  #connect(/** @type {Way} */ way) {
    const { session, config } = this;
    if (!this.#connects.has(way)) {
      const connect = createConnect({
        user: session.user,
        getUserToken: (options) => session.token(options),
        keepUnsaved: 'session',
        ...(way === 'server' ? { upload: 'broker' } : { token: { mode: way } }),
        ...(way === 'direct' && { widget: { apiBaseUrl: new URL(config.api_base_url, location.href).href.replace(/\/$/, '') } }),
      });
      connect.on('event', (event) => this.#follow(event));
      this.#connects.set(way, connect);
    }
    return this.#connects.get(way);
  }

  /** Opens the importer: "server" for one that leaves the parsing to the broker. */
  async open(/** @type {boolean} */ onServer) {
    const way = onServer ? 'server' : chosenMode();
    const button = byId(onServer ? 'upload' : 'import');
    const known = this.page.known();
    clearNotice();
    button.setAttribute('aria-busy', 'true');
    const result = await this.#connect(way).open({ config: onServer ? { title: 'Parse on the server' } : waysIn(this.config) });
    button.setAttribute('aria-busy', 'false');
    await this.#show(result, known, () => this.open(onServer));
  }

  /** Shows what came of an import that this page did not see the end of, or saves what could not be saved then. */
  async resume() {
    const looking = setTimeout(() => this.session.ended || notify(searching), searchingAfter);
    const result = await this.#connect(chosenMode()).resume();
    clearTimeout(looking);
    if (document.querySelector('.notice.busy')) clearNotice();
    if (result) await this.#show(result, [], () => this.resume(), 'Your statement is here');
  }

  /** Says how a save goes on. */
  #follow({ name, attempt }) {
    if (name === 'save_retry' && !this.session.ended) {
      notify({ kind: 'busy', title: 'Saving your statement…', text: `The service has not accepted it yet. Attempt ${attempt + 1}.` });
    }
  }

  async #show(result, known, again, title = 'Portfolio saved') {
    if (this.session.ended) return;
    if (result.status === 'saved' && (await this.page.refresh())) notify(savedNotice(result.portfolio, known, title));
    if (result.status === 'error') await this.#fail(result.error, again);
  }

  async #fail(error, again) {
    const blocked = error.code === 'subject_blocked';
    if (blocked && !(await this.page.refresh())) return; // the block covers reading, too, and the page says so
    notify({
      kind: 'bad', title: error.title, text: `${error.message} ${error.remediation}`, wait: error.retryAfter,
      small: [`Code ${error.code}`, error.requestId && `request ${error.requestId}`].filter(Boolean).join(' · '),
      action: action(error, blocked, again, () => this.resume()),
    });
  }
}

/** Returns what the user can do about an error; undefined if another attempt would fail, too. */
function action({ status, kept }, blocked, again, resume) {
  if (blocked || status === 402) return undefined;
  return kept ? { label: 'Save again', run: resume } : { label: 'Try again', run: again };
}

/** Returns the settings of the widget: all ways in that the broker serves. */
function waysIn({ features }) {
  return {
    title: 'Import your portfolio',
    enableGenerator: features.includes('generate'),
    enableCdslFetch: features.includes('fetch'),
    enableInbox: features.includes('inbox'),
    enableInboundEmail: features.includes('inbound_email'),
    inbox: { redirectUri: `${location.origin}/` },
  };
}

/**
 * Returns the message for a saved statement. What the service received itself is saved
 * before the page posts it, so it is new unless it is older than the statements before.
 * @param {Summary} summary
 * @param {Summary[]} known the statements before, newest first
 * @param {string} title of the message when it is new
 */
function savedNotice(summary, known, title) {
  const source = `${sourceName(summary.cas_type)}, ${periodText(summary.period)}`;
  if (known.some(({ id }) => id === summary.id)) {
    return { kind: 'info', title: 'Already saved', text: `You imported this statement before (${source}). It was not saved again.` };
  }
  if (summary.differs_from_observed) {
    return { kind: 'bad', title: 'Saved, but it differs from what the service saw', text: `${source}. Do not rely on it: import the original PDF again.` };
  }
  if (ofOther(summary)) {
    const owner = summary.owners.find(({ number }) => number === summary.owner);
    const name = owner ? personName(owner) : 'another person';
    return { kind: 'info', title: 'Portfolio saved for another person', text: `${source}. It is a statement of ${name}, so it has a total of its own and is not added to yours. ${provenanceName(summary)}.` };
  }
  return { kind: 'good', title, text: `${count(summary.stored_rows, 'holding')} from ${source}. ${provenanceName(summary)}.` };
}
