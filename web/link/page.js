import { isInboxCallback, reportInbox } from '../inbox.js';
import { CallError, currentSession, readLink, report, startSession, takeToken } from './session.js';
import { texts } from './texts.js';

const brand = document.body.dataset;
const at = (id) => document.getElementById(id);
const token = takeToken();

/** The link as the broker describes it; undefined before it is known. */
let link;
let language = firstLanguage();
let shown = { state: 'loading' };
let countdown;

function firstLanguage() {
  const chosen = new URLSearchParams(location.hash.slice(1)).get('language');
  return chosen in texts ? chosen : (navigator.language ?? '').startsWith('hi') ? 'hi' : 'en';
}

function say(text, words = {}) {
  return text.replace(/\{(\w+)\}/g, (_, word) => ({ name: brand.name, ...words })[word] ?? '');
}

/** What the person can do in each state: the text of the button, and whether the app's page is offered. */
const buttons = {
  ready: 'start', opening: 'busy', closed: 'again', network: 'retry', limited: 'retry', budget: 'retry', widget: 'retry', failed: 'retry',
};
const about = ['loading', 'ready', 'opening', 'open'];
const statuses = { saved: 'saved', completed: 'saved', open: '', opening: '', saving: '', loading: '' };

/** Shows a state. more has what its texts need: seconds to wait, texts of connect.js, a request id. */
function show(state, more = {}) {
  const before = shown.state;
  shown = { state, ...more };
  clearInterval(countdown);
  if (more.seconds > 0) countdown = setInterval(tick, 1000);
  render();
  if (before !== state && before !== 'loading' && state !== 'open') at('title').focus({ preventScroll: true });
}

function tick() {
  shown.seconds -= 1;
  if (shown.seconds <= 0) clearInterval(countdown);
  render();
}

function render() {
  const words = texts[language];
  const { state } = shown;
  const [title, text] = words[state];
  document.documentElement.lang = language;
  for (const button of document.querySelectorAll('[data-language]')) button.setAttribute('aria-pressed', String(button.dataset.language === language));
  put('title', shown.said?.title ?? say(title));
  put('text', shown.said ? `${shown.said.message} ${shown.said.remediation}` : say(text));
  at('about').hidden = !about.includes(state);
  put('notice-title', say(words.noticeTitle));
  put('notice', (language === 'hi' ? brand.noticeHi : brand.noticeEn) || say(words.notice));
  put('need-title', words.needTitle);
  if (at('need').textContent !== words.need.join('')) {
    at('need').replaceChildren(...words.need.map((line) => Object.assign(document.createElement('li'), { textContent: line })));
  }
  renderActions(words);
  put('detail', detail(words));
  document.title = `${at('title').textContent} · ${brand.name}`;
  document.documentElement.dataset.state = state;
}

function put(id, text) { if (at(id).textContent !== text) at(id).textContent = text; }

function renderActions(words) {
  const { state, seconds } = shown;
  const button = at('start');
  button.hidden = !(state in buttons);
  button.disabled = state === 'opening' || seconds > 0;
  button.textContent = seconds > 0 ? words.wait : words[buttons[state]] ?? '';
  const status = statuses[state] ?? (state === 'ready' ? 'closed' : state);
  const back = at('back');
  back.hidden = !link?.return_url || !status || state === 'ready';
  if (back.hidden) return;
  back.href = returnURL(status);
  back.className = button.hidden ? 'primary' : '';
  back.textContent = say(button.hidden ? words.back : words.backQuit);
}

function detail(words) {
  const { state, seconds, requestId } = shown;
  if (seconds > 0) return say(words.countdown, { time: duration(seconds) });
  if (state === 'saved' || state === 'completed') return link?.return_url ? (state === 'saved' ? say(words.returning) : '') : words.close;
  if (requestId) return say(words.support, { id: requestId });
  if (!link || !(state in buttons)) return '';
  const time = new Intl.DateTimeFormat(language === 'hi' ? 'hi-IN' : 'en-IN', { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(link.expires_at));
  return say(words.until, { time });
}

function duration(seconds) {
  const [amount, unit] = seconds > 90 ? [Math.ceil(seconds / 60), 'minute'] : [seconds, 'second'];
  return new Intl.NumberFormat(language === 'hi' ? 'hi-IN' : 'en-IN', { style: 'unit', unit, unitDisplay: 'long' }).format(amount);
}

/** Returns where the person goes at the end, with how it ended. */
function returnURL(status) {
  const url = new URL(link.return_url);
  url.searchParams.set('status', status);
  url.searchParams.set('link_id', link.id);
  return url.href;
}

/** Reads the state of the link and shows it. */
async function load() {
  if (isInboxCallback()) {
    return reportInbox().then(() => show('mailbox'), () => show('widget'));
  }
  if (!token) return show('missing');
  try {
    const known = link;
    link = await readLink(token);
    if (!known && !location.hash) language = link.language;
  } catch (error) {
    return fail(error);
  }
  if (link.state !== 'ready' && !(link.state === 'used' && currentSession())) return show(link.state);
  if (await resumed()) return undefined;
  return show('ready');
}

/** Saves what could not be saved before the page was loaded again. */
async function resumed() {
  if (!currentSession()) return false;
  try {
    const connect = await newConnect();
    const result = await connect.resume();
    if (result?.status !== 'saved') return false;
    report('resumed');
    done();
    return true;
  } catch {
    return false; // the button starts again
  }
}

async function newConnect() {
  const { createConnect } = await import('/connect.js');
  const connect = createConnect({
    brokerUrl: location.origin, getUserToken: () => currentSession(), user: link.id, language, keepUnsaved: 'session',
    tokenUrl: '/connect/session/token', saveUrl: '/connect/session/portfolios',
  });
  connect.on('event', (e) => {
    report(e.name === 'widget' ? String(e.event).toLowerCase() : e.name, e.code);
    if (e.name === 'opened') show('open');
    if (e.name === 'widget' && e.event === 'PARSE_SUCCESS' || e.name === 'save_retry') show('saving');
  });
  return connect;
}

async function start() {
  if (shown.state === 'opening') return;
  show('opening');
  let connect;
  try {
    const started = await startSession(token);
    link = { ...link, ...started };
    connect = await newConnect();
  } catch (error) {
    fail(error);
    return;
  }
  const result = await connect.open({ config: widgetConfig() });
  if (result.status === 'saved') return done();
  if (result.status === 'closed') return show('closed');
  return fail(result.error);
}

/** Returns the settings of the widget: those of the link, with the looks of the app. */
function widgetConfig() {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const { config } = link;
  return {
    title: brand.name, ...(brand.logo && { logoUrl: new URL(brand.logo, location.origin).href }),
    theme: { mode: dark ? 'dark' : 'light', primary: dark ? brand.colorDark : brand.color }, ...config,
    ...(config?.enableInbox && { inbox: { redirectUri: `${location.origin}/connect/link` } }),
  };
}

function done() {
  report('returned');
  show('saved');
  if (!link.return_url) return;
  setTimeout(() => location.assign(returnURL('saved')), 1200); // long enough to read that it worked
}

const ofLink = { link_expired: 'expired', link_revoked: 'revoked', link_used: 'used', link_completed: 'completed', link_unknown: 'unknown', subject_blocked: 'blocked' };

/** Shows what went wrong, in a call of the page or in connect.js. */
async function fail(error) {
  const { code = '', status, retryAfter = 0, requestId } = error;
  const ended = ofLink[code];
  if (ended) return show(ended);
  if (navigator.onLine === false) return show('offline');
  if (error.kind === 'network' || code === 'network') return show('network');
  if (error instanceof SyntaxError) return show('unsupported');
  if (code === 'widget_not_loaded' || error instanceof TypeError) return show('widget');
  if (status === 402 || code === 'insufficient_credits') return show('budget', { requestId });
  if (retryAfter > 0) return show('limited', { seconds: retryAfter });
  if (['authentication', 'unauthenticated', 'forbidden'].includes(code)) {
    const now = await readLink(token).catch(() => undefined); // it may have ended meanwhile
    if (now && now.state !== 'ready' && now.state !== 'used') return show(now.state);
  }
  const said = error instanceof CallError || !error.title ? undefined : error;
  return show('failed', { said, requestId });
}

for (const button of document.querySelectorAll('[data-language]')) {
  button.addEventListener('click', () => {
    language = button.dataset.language;
    history.replaceState(null, '', `/connect/link#language=${language}`); // for a reload
    render();
  });
}
at('start').addEventListener('click', () => (link ? start() : (show('loading'), load())));
addEventListener('online', () => shown.state === 'offline' && load());
addEventListener('offline', () => ['ready', 'closed', 'network'].includes(shown.state) && show('offline'));
render();
load();
