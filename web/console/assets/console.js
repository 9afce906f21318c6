// What the console does beyond its pages, which work without it: instants in the
// reader's own time, and an overview that keeps itself up to date.

const patience = 10_000; // ms, for one answer

/** Says in a tooltip what time it is here at each instant. */
function localise(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.valueOf())) {
      time.title = `${at.toLocaleString(undefined, { dateStyle: 'full', timeStyle: 'long' })} (your time)`;
    }
  }
}

/** Changes what is there into what came, and touches nothing that is the same. */
function settle(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  settleAttributes(old, fresh);
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((node, i) => (i < before.length ? settle(before[i], node) : old.append(node)));
  before.slice(after.length).forEach((node) => node.remove());
}

function settleAttributes(old, fresh) {
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    const opened = old.nodeName === 'DETAILS' && name === 'open'; // by the reader
    if (!fresh.hasAttribute(name) && !opened) old.removeAttribute(name);
  }
}

/** Keeps the parts of the page that have a data-refresh up to date. */
class Refresher {
  #timer = 0;
  #asking = false;

  constructor(every, status) {
    this.every = every;
    this.status = status;
    document.addEventListener('visibilitychange', () => this.#onVisibility());
    this.#wait();
  }

  #onVisibility() {
    if (document.visibilityState === 'visible' && !this.stopped) this.#refresh();
  }

  #wait() {
    clearTimeout(this.#timer);
    if (!this.stopped) this.#timer = setTimeout(() => this.#refresh(), this.every);
  }

  async #refresh() {
    if (this.#asking) return;
    if (document.visibilityState !== 'visible') return; // it goes on once somebody looks
    this.#asking = true;
    try {
      await this.#fetch();
    } catch {
      this.#say(' The broker does not answer. The page goes on trying.');
    } finally {
      this.#asking = false;
      this.#wait();
    }
  }

  async #fetch() {
    const answer = await fetch(location.href, {
      headers: { 'X-Idle': '1' }, redirect: 'manual', cache: 'no-store', signal: AbortSignal.timeout(patience),
    });
    if (answer.type === 'opaqueredirect' || answer.status === 401) {
      this.stopped = true;
      this.#say(' The session has ended. ', link(`/console/sign-in?ended=1&next=${encodeURIComponent(location.pathname + location.search)}`, 'Sign in again'));
      return;
    }
    if (!answer.ok) {
      this.#say(` The page could not be refreshed (${answer.status}). It goes on trying.`);
      return;
    }
    this.#show(new DOMParser().parseFromString(await answer.text(), 'text/html'));
    this.#say();
  }

  #show(page) {
    localise(page);
    for (const fresh of page.querySelectorAll('[data-refresh]')) {
      const old = document.querySelector(`[data-refresh="${CSS.escape(fresh.dataset.refresh)}"]`);
      if (old) settle(old, document.adoptNode(fresh));
    }
  }

  /** Says something once, however often it happens. */
  #say(...parts) {
    const said = parts.map((part) => part.textContent ?? part).join('');
    if (this.status.textContent !== said) this.status.replaceChildren(...parts);
  }
}

function link(href, text) {
  const a = document.createElement('a');
  a.href = href;
  a.textContent = text;
  return a;
}

/** Chooses "until a day and a time" for who types one. */
function followUntil(until) {
  const choice = document.querySelector('input[name=for][value=until]');
  until.addEventListener('input', () => { choice.checked = true; });
}

localise(document);
const refreshes = document.querySelector('[data-refreshes]');
if (refreshes) new Refresher(Number(refreshes.dataset.refreshes) * 1000, document.getElementById('refreshing'));
const until = document.getElementById('until');
if (until) followUntil(until);
