/** The page: who is signed in, which statement is shown, what is under way. */

import { Broker } from './api.js';
import { confirmed } from './confirm.js';
import { at, el, show } from './dom.js';
import { keepFile, whileBusy } from './download.js';
import { newKey, pick, save, WidgetError } from './importer.js';
import { clearNotice, notify } from './notice.js';
import { portfolioView } from './portfolio.js';
import { offerPrivacy } from './privacy.js';
import { drawStatements } from './statements.js';
import { count, explain, periodText, sourceName } from './wording.js';

/** @typedef {import('./api.js').Summary} Summary */

const remembered = 'demo-user'; // in sessionStorage: who was chosen, never a credential

/** @type {import('./api.js').Config} */
let config;
/** @type {Broker | undefined} */
let broker;
/** @type {Summary[]} newest first */
let statements = [];
/** @type {string | null} */
let older = null;
let chosen = '';
let unsaved = false;
let importing = false;

/** Tells of an error, unless it is only that the session was left meanwhile. */
function tell(error, doing, action) {
  if (error.name === 'AbortError') return;
  if (error instanceof WidgetError) {
    notify({ kind: 'bad', title: error.title, text: error.text, small: error.small, action });
    return;
  }
  if (typeof error.status !== 'number') reportError(error);
  notify({ kind: 'bad', ...explain(error, doing), action });
}

async function start() {
  try {
    config = await Broker.config();
  } catch (error) {
    show('loading', false);
    tell(error, 'The demo could not start', { label: 'Try again', run: () => location.reload() });
    return;
  }
  at('users').replaceChildren(...config.users.map(userCard));
  show('samples', Boolean(config.sandbox));
  for (const link of document.querySelectorAll('[data-sample]')) {
    link.href = `${config.api_base_url.replace(/\/$/, '')}/_sandbox/samples/${link.dataset.sample}`;
  }
  show('loading', false);
  const user = config.users.find(({ id }) => id === sessionStorage.getItem(remembered));
  if (user) await enter(user);
  else show('welcome', true);
}

function userCard(user) {
  return el('li', {},
    el('button', { type: 'button', class: 'user', 'data-testid': `user-${user.id}`, on: { click: () => enter(user) } },
      el('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(user.name)),
      el('span', { class: 'user-name' }, user.name),
      el('small', {}, 'Sign in')));
}

function initials(name) {
  return name.split(/\s+/).map((word) => word[0]).slice(0, 2).join('').toUpperCase();
}

async function enter(user) {
  broker?.end();
  const mine = new Broker(user.id);
  broker = mine;
  clearNotice();
  try {
    await mine.signIn();
  } catch (error) {
    show('welcome', true);
    tell(error, 'You could not be signed in', { label: 'Try again', run: () => enter(user) });
    return;
  }
  sessionStorage.setItem(remembered, user.id);
  at('who').textContent = user.name;
  at('home-title').textContent = `${user.name.split(' ')[0]}’s portfolio`;
  show('welcome', false);
  show('account', true);
  show('home', true);
  at('home-title').focus({ preventScroll: true });
  await refresh();
}

async function leave() {
  if (unsaved && !(await confirmed('Leave without saving?', 'The statement you imported is not saved yet.', 'Leave'))) return;
  broker?.end();
  broker = undefined;
  unsaved = false;
  statements = [];
  sessionStorage.removeItem(remembered);
  clearNotice();
  for (const id of ['home', 'account', 'portfolio', 'holdings', 'empty', 'statements']) show(id, false);
  for (const id of ['portfolio', 'holdings']) at(id).replaceChildren();
  show('welcome', true);
  at('welcome-title').focus();
}

/** Reads the list anew and shows the wanted statement, or else the one that counts. */
// refresh and choose resolve to whether what is on screen could be read; if not,
// they have said so.
async function refresh(wanted = '') {
  const mine = broker;
  try {
    const page = await mine.list(null);
    if (mine.ended) return true;
    statements = page.portfolios;
    older = page.next_cursor;
  } catch (error) {
    tell(error, 'Your statements could not be read', { label: 'Try again', run: () => refresh(wanted) });
    return false;
  }
  show('empty', statements.length === 0);
  for (const id of ['statements', 'portfolio', 'holdings']) show(id, statements.length > 0);
  const first = statements.find((statement) => statement.active) ?? statements[0];
  return statements.length === 0 || choose(wanted || first.id);
}

async function choose(id) {
  const mine = broker;
  chosen = id;
  redrawList();
  try {
    const portfolio = await mine.portfolio(id);
    if (chosen !== id || mine.ended) return true; // another one was chosen meanwhile
    const view = portfolioView(portfolio, {
      remove: () => remove(portfolio),
      download: (button) => download(portfolio, button),
      transactions: (holding, cursor) => mine.transactions(id, holding, cursor),
      failed: (error, again) => tell(error, 'The transactions could not be read', { label: 'Try again', run: again }),
    });
    at('portfolio').replaceChildren(...view.overview);
    at('holdings').replaceChildren(...view.holdings);
  } catch (error) {
    if (chosen !== id || mine.ended) return true;
    for (const part of ['portfolio', 'holdings']) at(part).replaceChildren(); // they show another statement
    tell(error, 'This statement could not be read', { label: 'Try again', run: () => refresh(id) });
    return false;
  }
  return true;
}

function redrawList() {
  drawStatements(statements, chosen, choose);
  show('more', older !== null);
}

async function more() {
  try {
    const mine = broker;
    const page = await mine.list(older);
    if (mine.ended) return;
    statements = [...statements, ...page.portfolios];
    older = page.next_cursor;
    redrawList();
  } catch (error) {
    tell(error, 'Older statements could not be read', { label: 'Try again', run: more });
  }
}

async function remove(/** @type {Summary} */ portfolio) {
  const name = `${sourceName(portfolio.cas_type)}, ${periodText(portfolio.period)}`;
  if (!(await confirmed('Delete this statement?', `${name}. It can be imported again from its PDF.`, 'Delete'))) return;
  try {
    await broker.remove(portfolio.id);
  } catch (error) {
    if (error.status !== 404) {
      tell(error, 'The statement was not deleted', { label: 'Try again', run: () => remove(portfolio) });
      return;
    }
  }
  notify({ kind: 'good', title: 'Statement deleted', text: name });
  await refresh();
}

function download(/** @type {Summary} */ portfolio, /** @type {HTMLElement} */ button) {
  return whileBusy(button, async () => {
    try {
      keepFile(await broker.table(portfolio.id));
    } catch (error) {
      tell(error, 'The holdings were not downloaded', { label: 'Try again', run: () => download(portfolio, button) });
    }
  });
}

async function importStatement() {
  if (importing) return;
  const mine = broker;
  clearNotice();
  busy(true);
  try {
    const payload = await pick(mine, config);
    if (payload && !mine.ended) await keep(payload, newKey());
  } catch (error) {
    tell(error, 'The import could not start', { label: 'Try again', run: importStatement });
  } finally {
    busy(false);
  }
}

/** Saves what the widget gave; on failure it stays in hand for another try. */
async function keep(payload, key) {
  const mine = broker;
  unsaved = true;
  notify({ kind: 'busy', title: 'Saving your statement…' });
  try {
    const summary = await save(mine, payload, key, (attempt) =>
      mine.ended || notify({ kind: 'busy', title: 'Saving your statement…', text: `The broker did not take it yet; this is attempt ${attempt}.` }));
    unsaved = false;
    if (await refresh(summary.id)) notify(saved(summary));
  } catch (error) {
    unsaved = !mine.ended && error.status !== 422;
    tell(error, 'Your statement is not saved', unsaved ? { label: 'Save again', run: () => keep(payload, key) } : undefined);
  }
}

function saved(/** @type {Summary} */ summary) {
  const source = `${sourceName(summary.cas_type)}, ${periodText(summary.period)}`;
  if (summary.created === false) {
    return { kind: 'info', title: 'Already saved', text: `You imported this statement before (${source}). Nothing was saved twice.` };
  }
  return { kind: 'good', title: 'Portfolio saved', text: `${count(summary.stored_rows, 'holding')} from ${source}.` };
}

/** Marks the button; it stays enabled, for focus comes back to it when the widget closes. */
function busy(/** @type {boolean} */ on) {
  importing = on;
  at('import').setAttribute('aria-busy', String(on));
  at('import').textContent = on ? 'Importing…' : 'Import portfolio';
}

offerPrivacy(() => broker, tell, refresh);
at('import').addEventListener('click', importStatement);
at('switch').addEventListener('click', leave);
at('more').addEventListener('click', more);
addEventListener('beforeunload', (event) => {
  if (unsaved) event.preventDefault();
});
start();
