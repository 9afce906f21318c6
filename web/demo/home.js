/** The page of a signed-in user: reads what they own and their statements, and shows both. */

import { byId, el, show } from './dom.js';
import { saveFile, whileBusy } from './download.js';
import { confirmed, clearNotice, notify } from './notice.js';
import { drawTitle, ownedView } from './overview.js';
import { changesInShort } from './changes.js';
import { statementView } from './statement.js';
import { drawStatements, forgetChanges } from './statements.js';
import { showProblem, showView } from './view.js';
import { explain, ofOther, periodText, sourceName } from './format.js';

/** @typedef {import('./types.d.ts').Owned} Owned */
/** @typedef {import('./types.d.ts').Summary} Summary */

/** The page of one session. */
export class Home {
  /** @type {Owned | undefined} what the user owns, of all people */
  #owned;
  /** @type {Summary[]} newest first */
  statements = [];
  /** @type {string | null} */
  #older = null;
  #selected = ''; // id of the statement on display; '' for none
  #person = 0; // number of the owner whose holdings are on display; 0 for the first

  /**
   * @param {import('./broker.js').Broker} broker
   * @param {string} userName
   * @param {() => void} signInAgain called when the session has ended
   */
  constructor(broker, userName, signInAgain) {
    Object.assign(this, { broker, userName, signInAgain });
  }

  /**
   * Reads what the user owns and the list of statements again, and shows both.
   * @returns {Promise<boolean>} whether both could be read; if not, it has shown the error
   */
  refresh = async () => {
    const { broker } = this;
    if (!this.#owned) showView('loading');
    const [list, all] = await Promise.allSettled([broker.statements(null), broker.owned(0)]);
    if (broker.ended) return true;
    const error = list.reason ?? all.reason;
    if ([list, all].some(({ reason }) => reason?.code === 'subject_blocked')) return this.#blocked();
    if (list.status === 'rejected') return this.#failed(error, 'Your statements could not be read');
    this.statements = list.value.portfolios;
    this.#older = list.value.next_cursor;
    forgetChanges();
    if (!this.statements.some(({ id }) => id === this.#selected)) this.closeStatement();
    this.#drawList();
    if (all.status === 'rejected') return this.#failed(error, 'What you own could not be added up');
    return this.#drawPerson(all.value);
  };

  /** Shows that the user is blocked, and nothing else. */
  #blocked() {
    this.clear();
    clearNotice();
    showView('blocked');
    return false;
  }

  /** Shows why reading failed; what was read before stays on the page. */
  #failed(error, title) {
    if (error.name === 'AbortError') return false;
    if (typeof error.status !== 'number') reportError(error);
    const message = explain(error, title);
    const ended = error.status === 401;
    const action = ended ? { label: 'Sign in again', run: this.signInAgain } : { label: 'Try again', run: this.refresh };
    if (this.#owned && !ended) {
      notify({ kind: 'bad', ...message, action });
      return false;
    }
    byId('overview').replaceChildren();
    showProblem(message, action, ended);
    show('statements', !ended && this.statements.length > 0);
    return false;
  }

  /** Shows the error of an action. */
  fail(error, title, run) {
    if (error.name === 'AbortError' || this.broker.ended) return;
    if (typeof error.status !== 'number') reportError(error);
    const blocked = error.code === 'subject_blocked'; // a retry cannot succeed
    notify({ kind: 'bad', ...explain(error, title), action: blocked ? undefined : { label: 'Try again', run } });
    if (blocked) this.refresh(); // shows whether the block covers reading, too
  }

  /**
   * Shows what one person owns: the one chosen before, else whom most statements are of.
   * @param {Owned} all what all own
   * @returns {Promise<boolean>} that of refresh
   */
  async #drawPerson(all) {
    const { broker } = this;
    const of = (number) => all.owners.find((owner) => owner.number === number);
    const owner = of(this.#person) ?? of(this.statements.find((statement) => !ofOther(statement))?.owner) ?? all.owners[0];
    const person = owner?.number ?? 0;
    this.#person = person;
    const several = all.owners.length > 1;
    const worth = owner ? broker.worth(several ? person : 0) : Promise.resolve([]);
    worth.catch(() => {}); // the chart says so
    try {
      const one = several ? await broker.owned(person) : all;
      if (broker.ended || person !== this.#person) return true; // another one was chosen in the meantime
      this.#owned = all;
      drawTitle(owner, this.userName);
      byId('overview').replaceChildren(...ownedView(one, {
        owners: all.owners, user: this.userName, choose: this.#choose, worth,
        download: (button) => this.#download(() => broker.ownedCSV(several ? person : 0), button),
      }));
      showView(this.statements.length > 0 ? 'content' : 'empty');
      return true;
    } catch (error) {
      return this.#failed(error, 'What you own could not be added up');
    }
  }

  #choose = async (/** @type {number} */ number) => {
    this.#person = number;
    for (const button of document.querySelectorAll('.person')) button.setAttribute('aria-pressed', String(button.dataset.owner === String(number)));
    await this.#drawPerson(this.#owned);
    document.querySelector('.person[aria-pressed="true"]')?.focus();
  };

  /** Shows a statement below the list, or closes it if it is shown already. */
  select = async (/** @type {string} */ id) => {
    const { broker } = this;
    const open = this.#selected !== id;
    this.closeStatement();
    if (!open) return;
    this.#selected = id;
    this.#drawList();
    byId('statement').replaceChildren(el('div', { class: 'bone hero-bone' }));
    show('statement', true);
    try {
      const [portfolio, changes] = await Promise.all([broker.statement(id), broker.changes(id).catch(() => null)]);
      if (this.#selected !== id || broker.ended) return; // another one was selected in the meantime
      byId('statement').replaceChildren(...statementView(portfolio, changes, {
        remove: () => this.#remove(portfolio),
        close: () => this.closeStatement(),
        download: (button) => this.#download(() => broker.holdingsCSV(id), button),
        transactions: (holding, cursor) => broker.transactions(id, holding, cursor),
        failed: (error, retry) => this.fail(error, 'The transactions could not be read', retry),
      }));
      byId('statement').firstChild.focus({ preventScroll: true });
      byId('statement').scrollIntoView({ block: 'start' });
    } catch (error) {
      if (this.#selected !== id || broker.ended) return;
      this.closeStatement();
      this.fail(error, 'This statement could not be read', () => this.select(id));
    }
  };

  closeStatement() {
    this.#selected = '';
    byId('statement').replaceChildren();
    show('statement', false);
    this.#drawList();
  }

  #drawList() {
    drawStatements(this.statements, this.#selected, this.select, async (id) => changesInShort(await this.broker.changes(id)));
    show('more', this.#older !== null);
  }

  loadOlder = async () => {
    try {
      const page = await this.broker.statements(this.#older);
      if (this.broker.ended) return;
      this.statements = [...this.statements, ...page.portfolios];
      this.#older = page.next_cursor;
      this.#drawList();
    } catch (error) {
      this.fail(error, 'Older statements could not be read', this.loadOlder);
    }
  };

  async #remove(/** @type {Summary} */ portfolio) {
    const name = `${sourceName(portfolio.cas_type)}, ${periodText(portfolio.period)}`;
    if (!(await confirmed('Delete this statement?', `${name}. It can be imported again from its PDF.`, 'Delete'))) return;
    try {
      await this.broker.remove(portfolio.id);
    } catch (error) {
      if (error.status !== 404) {
        this.fail(error, 'The statement was not deleted', () => this.#remove(portfolio));
        return;
      }
    }
    this.closeStatement();
    if (await this.refresh()) notify({ kind: 'good', title: 'Statement deleted', text: name });
  }

  #download(/** @type {() => Promise<import('./types.d.ts').Download>} */ read, /** @type {HTMLElement} */ button) {
    return whileBusy(button, async () => {
      try {
        saveFile(await read());
      } catch (error) {
        this.fail(error, 'The holdings were not downloaded', () => this.#download(read, button));
      }
    });
  }

  /** Takes everything off the page. */
  clear() {
    this.#owned = undefined;
    this.statements = [];
    this.#older = null;
    this.#person = 0;
    forgetChanges();
    this.closeStatement();
    byId('overview').replaceChildren();
  }
}
