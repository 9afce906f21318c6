/** The page's state and control flow: sign-in, list, display, import, delete. */

import { Broker } from './api.js';
import { confirmed } from './confirm.js';
import { byId, el, show } from './dom.js';
import { saveFile, whileBusy } from './download.js';
import { newKey, openWidget, save, WidgetError } from './importer.js';
import { chosenMode, initMode } from './mode.js';
import { clearNotice, notify } from './notice.js';
import { arrival, forget, isPending, remember } from './pending.js';
import { drawHeading, drawPeople, ownedView, personName } from './owned.js';
import { portfolioView } from './portfolio.js';
import { initPrivacy } from './privacy.js';
import { provenanceName } from './provenance.js';
import { drawStatements } from './statements.js';
import { count, explain, ofOther, periodText, sourceName } from './format.js';

/** @typedef {import('./api.js').Summary} Summary */

const userKey = 'demo-user'; // sessionStorage key of the selected user's id; no credential is stored

/** @type {import('./api.js').Config} */
let config;
/** @type {Broker | undefined} */
let broker;
/** @type {import('./api.js').Owned | undefined} what the user owns, of all people */
let owned;
/** @type {Summary[]} newest first */
let statements = [];
/** @type {string | null} */
let olderCursor = null;
let selected = ''; // id of the statement on display; '' for none
let person = 0; // number of the owner whose holdings are on display; 0 for the first
let userName = ''; // of the signed-in user
let unsaved = false; // whether an imported statement is not saved yet
let importing = false;

/** Shows an error, unless the request was aborted because the session ended. */
function showError(error, title, action) {
  if (error.name === 'AbortError') return;
  if (error instanceof WidgetError) {
    notify({ kind: 'bad', title: error.title, text: error.text, small: error.small, wait: error.wait, action: error.final ? undefined : action });
    return;
  }
  if (typeof error.status !== 'number') reportError(error);
  const blocked = error.code === 'subject_blocked'; // a retry cannot succeed
  notify({ kind: 'bad', ...explain(error, title), action: blocked ? undefined : action });
  if (blocked && broker && !broker.ended) refresh(); // shows whether the block covers reading, too
}

async function start() {
  try {
    config = await Broker.config();
  } catch (error) {
    show('loading', false);
    showError(error, 'The demo could not start', { label: 'Try again', run: () => location.reload() });
    return;
  }
  byId('users').replaceChildren(...config.users.map(userCard));
  initMode(config.modes);
  show('samples', Boolean(config.sandbox));
  show('loading', false);
  const user = config.users.find(({ id }) => id === sessionStorage.getItem(userKey));
  if (user) await signIn(user);
  else show('welcome', true);
}

function userCard(user) {
  return el('li', {},
    el('button', { type: 'button', class: 'user', 'data-testid': `user-${user.id}`, on: { click: () => signIn(user) } },
      el('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(user.name)),
      el('span', { class: 'user-name' }, user.name),
      el('small', {}, 'Sign in')));
}

function initials(name) {
  return name.split(/\s+/).map((word) => word[0]).slice(0, 2).join('').toUpperCase();
}

async function signIn(user) {
  broker?.end();
  const session = new Broker(user.id);
  broker = session;
  clearNotice();
  try {
    await session.signIn();
  } catch (error) {
    show('welcome', true);
    showError(error, 'Sign-in failed', { label: 'Try again', run: () => signIn(user) });
    return;
  }
  sessionStorage.setItem(userKey, user.id);
  byId('who').textContent = user.name;
  userName = user.name;
  drawSamples(user);
  byId('home-title').textContent = 'What you own';
  show('welcome', false);
  show('account', true);
  show('home', true);
  byId('home-title').focus({ preventScroll: true });
  if ((await refresh()) && isPending(user.id)) await awaitArrival();
}

/** Links to the samples of the investor who has the user's id. */
function drawSamples(user) {
  byId('sample-of').textContent = `${user.name.split(' ')[0]}’s statements`;
  for (const link of document.querySelectorAll('[data-sample]')) {
    link.href = `${config.api_base_url.replace(/\/$/, '')}/_sandbox/samples/${user.id}-${link.dataset.sample}.pdf`;
  }
}

/** Waits for the statement of an import whose page, or importer, was closed while it was read. */
async function awaitArrival() {
  const session = broker;
  notify({ kind: 'busy', title: 'Looking for your last import…', text: 'The importer was closed before it had finished. If your statement reached this service, it appears here.' });
  try {
    const id = await arrival(session.user, async () => (session.ended || importing ? undefined : (await session.list(null)).portfolios[0]?.id ?? ''));
    if (session.ended || importing) return;
    if (id === '') notify({ kind: 'info', title: 'Your last import did not arrive', text: 'Nothing new was saved. If the statement is not in the list, import it again.' });
    else if (await refresh()) {
      const { cas_type: source, period } = statements.find((statement) => statement.id === id) ?? {};
      notify({ kind: 'good', title: 'Your statement is here', text: `${sourceName(source)}, ${periodText(period)}: it was saved as the parser answered, without this page.` });
    }
  } catch (error) {
    showError(error, 'Your statements could not be read', { label: 'Try again', run: awaitArrival });
  }
}

async function signOut() {
  if (unsaved && !(await confirmed('Leave without saving?', 'The statement you imported is not saved yet.', 'Leave'))) return;
  broker?.end();
  broker = undefined;
  unsaved = false;
  statements = [];
  owned = undefined;
  person = 0;
  sessionStorage.removeItem(userKey);
  clearNotice();
  closeStatement();
  for (const section of ['home', 'account', ...content]) show(section, false);
  for (const section of ['people', 'overview', 'home-title', 'home-note']) byId(section).replaceChildren();
  show('welcome', true);
  byId('welcome-title').focus();
}

const content = ['blocked', 'empty', 'people', 'overview', 'statements']; // sections that depend on what was read

/**
 * Reads what the user owns and the list of statements again, and shows both.
 * @returns {Promise<boolean>} whether both could be read; if not, it has shown the error
 */
async function refresh() {
  const session = broker;
  const again = { label: 'Try again', run: refresh };
  show('reading', owned === undefined);
  const [list, all] = await Promise.allSettled([session.list(null), session.owned(0)]);
  if (session.ended) return true;
  show('reading', false);
  const blocked = [list, all].some(({ reason }) => reason?.code === 'subject_blocked');
  drawBlock(blocked);
  if (blocked) return false;
  if (list.status === 'rejected') {
    drawOwned(undefined);
    for (const section of content) show(section, false);
    showError(list.reason, 'Your statements could not be read', again);
    return false;
  }
  statements = list.value.portfolios;
  olderCursor = list.value.next_cursor;
  if (!statements.some(({ id }) => id === selected)) closeStatement();
  show('empty', statements.length === 0);
  show('statements', statements.length > 0);
  redrawList();
  if (all.status === 'rejected') {
    drawOwned(undefined);
    showError(all.reason, 'What you own could not be added up', again);
    return false;
  }
  return drawPerson(all.value);
}

/** Shows that the user is blocked, and nothing else, or takes that away. */
function drawBlock(/** @type {boolean} */ blocked) {
  for (const section of blocked ? content : ['blocked']) show(section, blocked && section === 'blocked');
  show('services', !blocked);
  show('mode', !blocked && config.modes.length > 1);
  show('import', !blocked);
  if (!blocked) return;
  drawOwned(undefined);
  closeStatement();
  clearNotice();
}

/**
 * Shows what one person owns: the one chosen before, else whom most statements are of.
 * @param {import('./api.js').Owned} all what all own
 * @returns {Promise<boolean>} that of refresh
 */
async function drawPerson(all) {
  const session = broker;
  const of = (number) => all.owners.find((owner) => owner.number === number);
  const owner = of(person) ?? of(statements.find((statement) => !ofOther(statement))?.owner) ?? all.owners[0];
  person = owner?.number ?? 0;
  try {
    const one = all.owners.length > 1 ? await session.owned(person) : all;
    if (session.ended || person !== (owner?.number ?? 0)) return true; // another one was chosen in the meantime
    drawOwned(all, owner, one);
    return true;
  } catch (error) {
    drawOwned(undefined);
    showError(error, 'What you own could not be added up', { label: 'Try again', run: refresh });
    return false;
  }
}

/**
 * Draws the main view.
 * @param {import('./api.js').Owned | undefined} all undefined if it is not known
 * @param {import('./api.js').Owner} [owner] who is shown
 * @param {import('./api.js').Owned} [one] what that person owns
 */
function drawOwned(all, owner, one) {
  owned = all;
  const owners = all?.owners ?? [];
  drawPeople(owners, owner?.number ?? 0, choosePerson);
  if (all) drawHeading(owner, userName, owners.length > 1);
  else byId('home-title').textContent = 'What you own';
  if (!all) show('home-note', false);
  const visible = one !== undefined && statements.length > 0;
  byId('overview').replaceChildren(...(visible ? ownedView(one, downloadOwned) : []));
  show('overview', visible);
}

async function choosePerson(/** @type {number} */ number) {
  person = number;
  await drawPerson(owned);
  document.querySelector('[data-testid="person-choice"][aria-pressed="true"]')?.focus();
}

/** Shows a statement below the list, or closes it if it is shown already. */
async function select(id) {
  const session = broker;
  const open = selected !== id;
  closeStatement();
  if (!open) return;
  selected = id;
  redrawList();
  try {
    const portfolio = await session.portfolio(id);
    if (selected !== id || session.ended) return; // another one was selected in the meantime
    byId('statement').replaceChildren(...portfolioView(portfolio, {
      remove: () => remove(portfolio),
      close: () => closeStatement(),
      download: (button) => download(() => session.holdingsCSV(id), button),
      transactions: (holding, cursor) => session.transactions(id, holding, cursor),
      failed: (error, retry) => showError(error, 'The transactions could not be read', { label: 'Try again', run: retry }),
    }));
    show('statement', true);
    byId('statement').firstChild.focus({ preventScroll: true });
    byId('statement').scrollIntoView({ block: 'start' });
  } catch (error) {
    if (selected !== id || session.ended) return;
    closeStatement();
    showError(error, 'This statement could not be read', { label: 'Try again', run: () => select(id) });
  }
}

function closeStatement() {
  selected = '';
  byId('statement').replaceChildren();
  show('statement', false);
  redrawList();
}

function redrawList() {
  drawStatements(statements, selected, select);
  show('more', olderCursor !== null);
}

async function loadOlder() {
  try {
    const session = broker;
    const page = await session.list(olderCursor);
    if (session.ended) return;
    statements = [...statements, ...page.portfolios];
    olderCursor = page.next_cursor;
    redrawList();
  } catch (error) {
    showError(error, 'Older statements could not be read', { label: 'Try again', run: loadOlder });
  }
}

async function remove(/** @type {Summary} */ portfolio) {
  const name = `${sourceName(portfolio.cas_type)}, ${periodText(portfolio.period)}`;
  if (!(await confirmed('Delete this statement?', `${name}. It can be imported again from its PDF.`, 'Delete'))) return;
  try {
    await broker.remove(portfolio.id);
  } catch (error) {
    if (error.status !== 404) {
      showError(error, 'The statement was not deleted', { label: 'Try again', run: () => remove(portfolio) });
      return;
    }
  }
  closeStatement();
  if (await refresh()) notify({ kind: 'good', title: 'Statement deleted', text: name });
}

const downloadOwned = (/** @type {HTMLElement} */ button) => download(() => broker.ownedCSV(owned.owners.length > 1 ? person : 0), button);

function download(/** @type {() => Promise<import('./api.js').Download>} */ read, /** @type {HTMLElement} */ button) {
  return whileBusy(button, async () => {
    try {
      saveFile(await read());
    } catch (error) {
      showError(error, 'The holdings were not downloaded', { label: 'Try again', run: () => download(read, button) });
    }
  });
}

async function importStatement() {
  if (importing) return;
  const session = broker;
  const mode = chosenMode();
  clearNotice();
  setImporting(true);
  try {
    const payload = await openWidget(session, config, mode, (event) => {
      if (event === 'UPLOAD_STARTED' && mode === 'gateway') remember(session.user, statements[0]?.id ?? '');
      if (event === 'PARSE_ERROR') forget(session.user);
    });
    if (payload && !session.ended) await saveImport(payload, newKey());
  } catch (error) {
    showError(error, 'The import could not start', { label: 'Try again', run: importStatement });
  } finally {
    setImporting(false);
  }
  if (!session.ended && !unsaved && isPending(session.user)) await awaitArrival();
}

/** Saves the widget's result. On failure the error offers to save again. */
async function saveImport(payload, key) {
  const session = broker;
  const known = statements;
  unsaved = true;
  notify({ kind: 'busy', title: 'Saving your statement…' });
  try {
    const summary = await save(session, payload, key, (attempt) =>
      session.ended || notify({ kind: 'busy', title: 'Saving your statement…', text: `The service has not accepted it yet. Attempt ${attempt}.` }));
    unsaved = false;
    forget(session.user);
    if (await refresh()) notify(savedNotice(summary, known));
  } catch (error) {
    unsaved = !session.ended && error.status !== 422;
    if (!unsaved) forget(session.user);
    showError(error, 'Your statement is not saved', unsaved ? { label: 'Save again', run: () => saveImport(payload, key) } : undefined);
  }
}

/**
 * Returns the message for a saved statement. What the service received itself is saved
 * before the page posts it, so it is new unless it is older than the statements before.
 * @param {Summary} summary
 * @param {Summary[]} known the statements before, newest first
 */
function savedNotice(summary, known) {
  const source = `${sourceName(summary.cas_type)}, ${periodText(summary.period)}`;
  const seen = known.length > 0 && Date.parse(summary.saved_at) <= Date.parse(known[0].saved_at);
  if (summary.created === false && (seen || summary.provenance === 'reported')) {
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
  return { kind: 'good', title: 'Portfolio saved', text: `${count(summary.stored_rows, 'holding')} from ${source}. ${provenanceName(summary)}.` };
}

/** Updates the button. It stays enabled, as focus returns to it when the widget closes. */
function setImporting(/** @type {boolean} */ on) {
  importing = on;
  byId('import').setAttribute('aria-busy', String(on));
  byId('import').textContent = on ? 'Importing…' : 'Import portfolio';
}

initPrivacy(() => broker, showError, refresh);
byId('import').addEventListener('click', importStatement);
byId('switch').addEventListener('click', signOut);
byId('more').addEventListener('click', loadOlder);
byId('check-block').addEventListener('click', refresh);
addEventListener('beforeunload', (event) => {
  if (unsaved) event.preventDefault();
});
start();
