// Progressive enhancement of the console, whose pages work without it: times in the
// reader's time zone, and an overview that refreshes itself.
//
// The page is patched by patchNode below, 1.0 kB: idiomorph 0.7.4 is 9.7 kB minified, and
// matching nodes that move is not needed where every refresh has the same structure.

const fetchTimeout = 10_000; // ms

/** Adds a tooltip with the local time to each time below root. */
function localizeTimes(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const date = new Date(time.dateTime);
    if (!Number.isNaN(date.valueOf())) {
      time.title = `${date.toLocaleString(undefined, { dateStyle: 'full', timeStyle: 'long' })} (your time)`;
    }
  }
}

/** Changes node into fresh, without touching the parts that are equal. */
function patchNode(node, fresh) {
  if (node.isEqualNode(fresh)) return;
  if (node.nodeType !== fresh.nodeType || node.nodeName !== fresh.nodeName) {
    node.replaceWith(fresh);
    return;
  }
  if (node.nodeType !== Node.ELEMENT_NODE) {
    node.data = fresh.data;
    return;
  }
  patchAttributes(node, fresh);
  const before = [...node.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((child, i) => (i < before.length ? patchNode(before[i], child) : node.append(child)));
  before.slice(after.length).forEach((child) => child.remove());
}

function patchAttributes(node, fresh) {
  for (const { name, value } of [...fresh.attributes]) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  for (const { name } of [...node.attributes]) {
    const openedByReader = node.nodeName === 'DETAILS' && name === 'open';
    if (!fresh.hasAttribute(name) && !openedByReader) node.removeAttribute(name);
  }
}

/** Refreshes the parts of the page that have data-refresh: the answer has those that changed. */
class Refresher {
  #timer = 0;
  #fetching = false;
  #tags = new Map(); // the ETag of each part that was received, by its name

  constructor(interval, status, updated) {
    this.interval = interval; // ms
    this.status = status; // the element for messages
    this.updated = updated; // has the time of the last answer
    document.addEventListener('visibilitychange', () => this.#onVisibility());
    this.#schedule();
  }

  #onVisibility() {
    if (document.visibilityState === 'visible' && !this.stopped) this.#refresh();
  }

  #schedule() {
    clearTimeout(this.#timer);
    if (!this.stopped) this.#timer = setTimeout(() => this.#refresh(), this.interval);
  }

  async #refresh() {
    if (this.#fetching) return;
    if (document.visibilityState !== 'visible') return; // resumed by visibilitychange
    this.#fetching = true;
    try {
      await this.#fetch();
    } catch {
      this.#report(' The broker does not answer. The page keeps trying.');
    } finally {
      this.#fetching = false;
      this.#schedule();
    }
  }

  async #fetch() {
    const answer = await fetch(location.href, {
      headers: { 'X-Idle': '1', 'X-Refresh': '1', 'If-None-Match': [...this.#tags.values()].join(', ') }, redirect: 'manual', cache: 'no-store', signal: AbortSignal.timeout(fetchTimeout),
    });
    if (answer.type === 'opaqueredirect' || answer.status === 401) {
      this.stopped = true;
      this.#report(' The session has ended. ', link(`/console/sign-in?ended=1&next=${encodeURIComponent(location.pathname + location.search)}`, 'Sign in again'));
      return;
    }
    if (!answer.ok && answer.status !== 304) {
      this.#report(` The page could not be refreshed (${answer.status}). It keeps trying.`);
      return;
    }
    this.#show(new DOMParser().parseFromString(await answer.text(), 'text/html'));
    this.#showTime(new Date(answer.headers.get('Date')));
    this.#report();
  }

  #show(page) {
    for (const { content, dataset } of page.querySelectorAll('template[data-part]')) {
      localizeTimes(content);
      const old = document.querySelector(`[data-refresh="${CSS.escape(dataset.part)}"]`);
      if (!old) return location.reload(); // the page was sent without this part, which was not known
      patchNode(old, document.adoptNode(content.firstElementChild));
      this.#tags.set(dataset.part, dataset.etag);
    }
  }

  /** Shows when the broker has answered. */
  #showTime(date) {
    const time = this.updated.querySelector('time');
    time.dateTime = date.toISOString();
    time.textContent = `${time.dateTime.slice(0, 19).replace('T', ' ')} UTC`;
    localizeTimes(this.updated);
  }

  /** Shows a message, unless it is shown already: screen readers would repeat it. */
  #report(...parts) {
    const message = parts.map((part) => part.textContent ?? part).join('');
    if (this.status.textContent !== message) this.status.replaceChildren(...parts);
  }
}

function link(href, text) {
  const a = document.createElement('a');
  a.href = href;
  a.textContent = text;
  return a;
}

/** Selects "until a date and time" when a time is entered. */
function selectUntil(input) {
  const radio = document.querySelector('input[name=for][value=until]');
  input.addEventListener('input', () => { radio.checked = true; });
}

localizeTimes(document);
const refreshed = document.querySelector('[data-refreshes]');
if (refreshed) {
  new Refresher(Number(refreshed.dataset.refreshes) * 1000, document.getElementById('refreshing'), document.getElementById('updated'));
}
const until = document.getElementById('until');
if (until) selectUntil(until);
