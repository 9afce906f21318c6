/** The page's start, sign-in and sign-out. */

import { isInboxCallback, reportInbox } from '/connect/inbox.js';
import { Broker, readConfig } from './broker.js';
import { byId, el, show } from './dom.js';
import { Home } from './home.js';
import { Imports } from './imports.js';
import { initMode } from './mode.js';
import { clearNotice, notify } from './notice.js';
import { drawTitle } from './overview.js';
import { initPrivacy } from './privacy.js';
import { showView, watchConnection } from './view.js';
import { explain } from './format.js';

/** @typedef {import('./types.d.ts').User} User */

const userKey = 'demo-user'; // sessionStorage key of the selected user's id; no credential is stored

/** @type {import('./types.d.ts').Config} */
let config;
/** @type {Home | undefined} */
let home;
/** @type {Imports | undefined} */
let imports;

async function start() {
  if (isInboxCallback()) { // the window that the widget has opened for a mail provider
    try {
      return await reportInbox();
    } catch {
      history.replaceState(null, '', '/'); // the import still waits in the other window
    }
  }
  showView(sessionStorage.getItem(userKey) ? 'loading' : 'welcome');
  try {
    config = await readConfig();
  } catch (error) {
    showView('welcome');
    notify({ kind: 'bad', ...explain(error, 'The demo could not start'), action: { label: 'Try again', run: () => location.reload() } });
    return;
  }
  byId('users').replaceChildren(...config.users.map(userCard));
  byId('users').removeAttribute('aria-busy');
  initMode(config.modes);
  show('samples', Boolean(config.sandbox));
  const user = config.users.find(({ id }) => id === sessionStorage.getItem(userKey));
  if (user) await signIn(user);
  else showView('welcome');
}

function userCard(/** @type {User} */ user) {
  return el('li', {},
    el('button', { type: 'button', class: 'user', 'data-testid': `user-${user.id}`, on: { click: () => signIn(user) } },
      el('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(user.name)),
      el('span', { class: 'user-name' }, user.name),
      el('small', {}, 'Sign in')));
}

function initials(name) {
  return name.split(/\s+/).map((word) => word[0]).slice(0, 2).join('').toUpperCase();
}

async function signIn(/** @type {User} */ user) {
  home?.broker.end();
  clearNotice();
  const broker = new Broker(user.id);
  home = new Home(broker, user.name, () => signIn(user));
  imports = new Imports(broker, config, { known: () => home.statements, refresh: home.refresh });
  home.clear();
  sessionStorage.setItem(userKey, user.id);
  byId('who').textContent = user.name;
  drawTitle(undefined, user.name);
  drawSamples(user);
  showView('loading');
  scrollTo(0, 0);
  byId('home-title').focus({ preventScroll: true });
  if (await home.refresh()) await imports.resume();
}

/** Links to the samples of the investor who has the user's id. */
function drawSamples(/** @type {User} */ user) {
  byId('sample-of').textContent = `${user.name.split(' ')[0]}’s statements`;
  for (const link of document.querySelectorAll('[data-sample]')) {
    link.href = `${config.api_base_url.replace(/\/$/, '')}/_sandbox/samples/${user.id}-${link.dataset.sample}.pdf`;
  }
}

function signOut() {
  home.broker.end();
  home.clear();
  home = imports = undefined;
  sessionStorage.removeItem(userKey);
  clearNotice();
  showView('welcome');
  byId('welcome-title').focus();
}

initPrivacy(() => home, signOut);
watchConnection(() => home?.refresh());
byId('import').addEventListener('click', () => imports.open(false));
byId('upload').addEventListener('click', () => imports.open(true));
byId('switch').addEventListener('click', signOut);
byId('more').addEventListener('click', () => home.loadOlder());
byId('check-block').addEventListener('click', () => home.refresh());
start();
