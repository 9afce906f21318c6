/**
 * Imports a statement on a page: gets an access token from the broker, opens the vendor's
 * widget with it, and saves the result. It needs no other script, touches no page when it is
 * imported, and runs as it is. connect.d.ts explains what it offers.
 */

/** Title, message and remedy of what can happen before connect/en.js or connect/hi.js, which have all, are loaded. */
const first = {
  network: ['No connection', 'The service cannot be reached.', 'Check your connection, then try again.'],
  unknown: ['Something went wrong', 'The import failed.', 'Try again; if that does not help, contact support.'],
};

/** Codes of errors that have none of the broker; those of the widget are its own, in lower case. */
const codesByStatus = { 401: 'unauthenticated', 402: 'insufficient_credits', 403: 'forbidden', 413: 'too_large', 422: 'invalid_statement', 429: 'rate_limited' };

const patience = 60_000; // ms; how long a save is retried, and how long getUserToken may take
const shortPatience = 4_000; // ms; the user waits for the widget to open

export class ConnectError extends Error {
  constructor(/** @type {any} */ { message, cause, ...more }) {
    super(message, { cause });
    Object.assign(this, { name: 'ConnectError', ...more });
  }
}

const closed = { status: 'closed' };
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const vendorWidget = () => globalThis.PortfolioConnect ?? globalThis.CASParserConnect;
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');

/** @type {Promise<void> | undefined} the widget's script, once for the page */
let loading;

export function createConnect(options = {}) {
  const base = (options.brokerUrl ?? (/^http/.test(import.meta.url) ? import.meta.url.replace(/[^/]*([?#].*)?$/, '') : '')).replace(/\/+$/, '');
  const tokenUrl = options.tokenUrl ?? `${base}/v1/token`;
  const saveUrl = options.saveUrl ?? `${base}/v1/portfolios`;
  const own = options.tokenUrl === undefined && options.saveUrl === undefined; // whether all is at the broker
  const listeners = new Set();
  const refused = new Set(); // access tokens
  let words = first;
  let token, minting, running, keep, uploader, grants, widgets, preparing;

  // A page that the browser has kept and shows again may have been left by another user.
  globalThis.addEventListener?.('pageshow', ({ persisted }) => {
    if (persisted) token = undefined;
  });

  function emit(name, more) {
    for (const listener of listeners) {
      try {
        listener({ name, ...more });
      } catch (exception) {
        reportError(exception);
      }
    }
  }

  /** Returns the texts of a code, which may be any text. */
  const wordsOf = (code) => (Object.hasOwn(words, code) ? words[code] : undefined);

  /** Returns an error with the texts of code or, if there are none, of like. */
  function failure(code, { like = 'unknown', ...more } = {}) {
    const [title, message, remediation] = wordsOf(code) ?? words[like] ?? words.unknown;
    const known = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined));
    return new ConnectError({ code, title, message, remediation, retryable: false, ...known, ...options.texts?.[code] });
  }

  /** Loads the parts of this module that the options need, before a connection may be lost. */
  function prepare() {
    preparing ??= Promise.race([sleep(patience).then(() => Promise.reject(new Error('parts of connect.js do not load'))), Promise.all([
      options.language === 'hi' ? import('./connect/hi.js') : import('./connect/en.js'),
      import('./connect/show.js'),
      options.keepUnsaved && import('./connect/keep.js'),
      options.upload === 'broker' && import('./connect/upload.js'),
      own && import('./connect/grants.js'),
    ])]).then(([texts, showing, keeping, uploading, granted]) => {
      words = texts.default;
      widgets = showing;
      grants = granted?.createGrants?.({ base, call, failure });
      keep = keeping?.createKeep?.(options.keepUnsaved, saveUrl, own);
      uploader = uploading?.createUploader?.({ base, options, failure, problem, retry, userToken, parse, newKey });
    }).catch((cause) => {
      preparing = undefined;
      throw failure('network', { cause, retryable: true });
    });
    return preparing;
  }

  async function userToken(fresh) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(reject, patience, new Error('getUserToken has not answered'));
    });
    try {
      return (await Promise.race([options.getUserToken?.({ fresh }), late])) || '';
    } catch (cause) {
      await prepare().catch(() => {}); // for the texts
      throw failure('unauthenticated', { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends a request as the user, with a fresh user token once on 401, and returns its JSON. */
  async function call(method, url, body, { headers, ms = 15_000 } = {}) {
    for (let fresh = false; ; fresh = true) {
      const jwt = await userToken(fresh);
      let response, answer;
      try {
        response = await fetch(url, {
          method, body, cache: 'no-store', credentials: options.getUserToken ? 'omit' : 'include', signal: AbortSignal.timeout(ms),
          headers: { Accept: 'application/json', ...(body && { 'Content-Type': 'application/json' }), ...(jwt && { Authorization: `Bearer ${jwt}` }), ...headers },
        });
        answer = await response.text();
      } catch (cause) {
        throw failure('network', { cause, retryable: true });
      }
      if (response.status === 401 && jwt && !fresh) continue;
      answer = parse(answer);
      if (response.ok) return answer;
      await prepare().catch(() => {}); // for the texts
      throw problem(response.status, answer, (name) => response.headers.get(name));
    }
  }

  /** Returns the error for an answer of the broker or of the app's own back end. */
  function problem(status, { code, detail, request_id }, header) {
    const like = codesByStatus[status] ?? (status >= 500 ? 'unavailable' : 'unknown');
    return failure(code ?? like, {
      like, status, requestId: request_id ?? header('X-Request-ID') ?? undefined, retryAfter: secondsOf(header('Retry-After')),
      retryable: status === 429 || status >= 500 || code === 'idempotency_in_flight',
      message: (wordsOf(code) && code !== 'budget_exhausted') || options.language === 'hi' || typeof detail !== 'string' ? undefined : detail,
    });
  }

  /** Retries attempt, with growing pauses, while that may help and limit (ms) is not over. */
  async function retry(attempt, limit, name) {
    const end = Date.now() + limit;
    for (let n = 1; ; n += 1) {
      try {
        return await attempt();
      } catch (error) {
        const wait = Math.max(Math.min(250 * 2 ** n, 8000) * (0.5 + Math.random() / 2), 1000 * (error.retryAfter ?? 0));
        if (!error.retryable || Date.now() + wait > end) throw error;
        emit(name, { attempt: n, code: error.code, wait_ms: Math.round(wait) });
        await sleep(wait);
      }
    }
  }

  const present = async () => options.user ?? subjectOf(await userToken(false));

  /** Returns an access token of the present user that is not about to expire and was not refused. */
  async function accessToken() {
    const who = await present();
    if (token?.who === who && Date.now() < token.until) return token;
    if (minting?.who !== who) {
      const mine = { who };
      minting = mine;
      mine.answer = mint(who).finally(() => {
        if (minting === mine) minting = undefined;
      });
    }
    return minting.answer;
  }

  async function mint(who) {
    const ask = () => retry(() => call('POST', tokenUrl, options.token && JSON.stringify(options.token)), shortPatience, 'token_retry');
    let answer = await ask();
    if (refused.has(answer.access_token) && answer.grant_id) { // the broker does not know that it was refused
      await call('POST', `${base}/v1/token/revoke`, JSON.stringify({ grant_id: answer.grant_id }));
      answer = await ask();
    }
    const value = answer.access_token ?? answer.accessToken ?? answer.token;
    if (!value || refused.has(value)) {
      await prepare().catch(() => {}); // for the texts
      throw failure('authentication');
    }
    const life = 1000 * (answer.expires_in || 60);
    const expiry = Date.parse(answer.expires_at);
    const rest = expiry - Date.parse(answer.refresh_after) || life / 2; // differences, since this clock may be wrong
    token = { who, value, until: Date.now() + life - rest, url: answer.api_base_url, grant: answer.grant_id };
    emit('token', { gateway: Boolean(token.url) });
    return token;
  }

  async function widget() {
    if (!vendorWidget()) {
      loading ??= load().finally(() => {
        loading = undefined;
      });
      await loading;
    }
    return vendorWidget();
  }

  async function load() {
    const { url, integrity, nonce, timeoutMs = 15_000 } = options.widget ?? {};
    const locate = () => fetch(`${base}/connect/widget.json`, { credentials: 'omit', signal: AbortSignal.timeout(timeoutMs) }).then((response) => response.json()).catch((cause) => {
      throw failure('network', { cause, retryable: true });
    });
    const place = url ? { url, integrity } : await retry(locate, shortPatience, 'widget_retry');
    const script = document.createElement('script');
    await new Promise((resolve) => {
      Object.assign(script, { src: new URL(place.url, new URL(`${base}/`, location.href)).href, crossOrigin: 'anonymous', onload: resolve, onerror: resolve });
      if (place.integrity) script.integrity = place.integrity;
      if (nonce) script.nonce = nonce;
      setTimeout(resolve, timeoutMs);
      document.head.append(script);
    });
    if (vendorWidget()) return;
    script.remove();
    await prepare();
    throw failure('widget_not_loaded', { retryable: true });
  }

  /** Returns the error for one of the widget. */
  function widgetError({ code, title, message, remediation, retryable, details }) {
    const said = options.language === 'hi' ? {} : { title, message, remediation };
    const { status, requestId, retryAfter, serverCode, serverMessage } = details ?? {};
    if (status === 402) return problem(402, { code: serverCode ? `${serverCode}`.toLowerCase() : undefined, detail: serverMessage, request_id: requestId }, (name) => (name === 'Retry-After' ? retryAfter : undefined));
    return failure(/token/i.test(code) ? 'authentication' : (code ?? 'unknown').toLowerCase(), { ...said, retryable, status, requestId, retryAfter });
  }

  /** Gets what the widget needs: its script, a token, and the other parts of this module. */
  function gather({ accessToken: value, apiBaseUrl: url } = {}) {
    return Promise.all([widget(), value ? { value, url } : accessToken().catch(withoutTokens), prepare()]);
  }

  /** Returns what the widget is opened with besides the app's own options. */
  function settings({ value, url }, { onSubmit }) {
    return {
      accessToken: value, apiBaseUrl: url ?? options.widget?.apiBaseUrl,
      onSubmit: onSubmit ?? (uploader && ((...input) => uploader.submit(...input))),
    };
  }

  async function run(o, signal) {
    try {
      let [vendor, current] = await gather(o);
      let { config } = o;
      for (let again = false; !signal.aborted; again = true) {
        const entry = { id: newKey(), at: Date.now(), starts: 0, grant: current.grant, gateway: Boolean(current.url), who: current.who };
        let parsing, address; // whether a parse has not ended yet; a forwarding address
        const mark = () => current.url && keep?.put(entry); // a parse goes on without the page
        let marked = grants?.begin(entry).then(mark);
        emit('opened');
        const { data, metadata, error } = await widgets.show(vendor, { ...o, ...settings(current, o), config, signal }, emit, (event, { code, inboundEmailId, inbound_email_id: id = inboundEmailId }) => {
          if (/^(UPLOAD|PARSE)_STARTED$/.test(event) && !parsing) {
            parsing = entry.starts += 1;
            marked = marked?.then(mark);
          }
          if (/^PARSE_(SUCCESS|ERROR)$/.test(event) && code !== 'NETWORK') parsing = false;
          if (id) address = { existingId: id };
        });
        if (data !== undefined) return await save(entry, { data, metadata }, uploader?.saved(data));
        const kept = await marked;
        if (parsing && /^(NETWORK)?$/.test(error?.code ?? '')) { // its answer was lost
          entry.pending = true;
          const found = await arrived(entry).catch(() => undefined);
          if (found) return done(entry, found);
        }
        if (kept && !entry.pending) await keep.drop(entry.id);
        if (widgets.isAuthentication(error)) {
          refused.add(current.value);
          token = undefined;
          const next = again ? undefined : await accessToken().catch((e) => {
            if (!o.accessToken) throw e;
          });
          if (next) {
            emit('reopened');
            current = next;
            config = { ...config, subtitle: options.texts?.reopened ?? words.reopened[1], ...(address && { inboundEmail: { ...config?.inboundEmail, ...address } }) };
            continue;
          }
        }
        if (error) throw uploader?.failed(error) ?? widgetError(error);
        break;
      }
      emit('closed');
      return closed;
    } catch (error) {
      return failed(error);
    }
  }

  /** Lets the widget open without a token if the broker has none, but uploads go to the broker. */
  function withoutTokens(error) {
    if (!options.upload || error.code !== 'tokens_unavailable') throw error;
    return { value: 'at_none' };
  }

  /** Returns the portfolio that the broker has saved of entry without the page, if that is sure. */
  const arrived = async (entry, data) => grants?.find(entry, data);

  /** Saves payload, unless the broker has it, with retries. Meanwhile it is kept, if the options say so. */
  async function save(entry, payload, uploaded) {
    if (saveUrl === false) return { status: 'parsed', ...payload };
    return done(entry, uploaded ?? await (keep ? keep.save(entry, payload, deliver) : deliver(entry, payload)), payload);
  }

  async function deliver(entry, payload) {
    if (entry.who !== undefined && (await present()) !== entry.who) throw failure('other_user');
    const headers = { 'Idempotency-Key': `"${entry.id}"` };
    const attempt = async () => (await arrived(entry, payload.data)) ?? call('POST', saveUrl, JSON.stringify(payload), { headers, ms: patience });
    return retry(attempt, patience, 'save_retry');
  }

  async function done(entry, portfolio, payload) {
    await keep?.drop(entry.id);
    emit('saved');
    return { status: 'saved', portfolio, ...payload };
  }

  function failed(error) {
    if (!(error instanceof ConnectError)) error = failure('unknown', { cause: error });
    emit('error', { code: error.code, retryable: error.retryable });
    return { status: 'error', error };
  }

  return {
    async prefetch(o) {
      if (typeof document !== 'undefined') await gather(o);
    },
    open(o = {}) {
      if (o.signal?.aborted) return Promise.resolve(closed);
      if (!running || running.abort.signal.aborted) { // one that was aborted may still be saving
        const mine = { waiting: 0, abort: new AbortController() };
        running = mine;
        mine.result = run(o, mine.abort.signal).finally(() => {
          mine.over = true;
          if (running === mine) running = undefined;
        });
      }
      const shared = running;
      shared.waiting += 1;
      const left = new Promise((resolve) => {
        o.signal?.addEventListener('abort', () => {
          shared.waiting -= 1;
          if (!shared.waiting && !shared.over) shared.abort.abort();
          resolve(closed);
        });
      });
      return Promise.race([shared.result, left]);
    },
    async resume() {
      if (!options.keepUnsaved) return undefined;
      try {
        await prepare();
        const portfolio = await keep.resume(present, deliver, arrived);
        return portfolio && done({}, portfolio);
      } catch (error) {
        return failed(error);
      }
    },
    async forget() {
      token = undefined;
      if (options.keepUnsaved) await prepare().then(() => keep.clear());
    },
    on(_event, listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Returns the seconds of a header Retry-After, which is a number or a date. */
function secondsOf(header) {
  const seconds = Number.isNaN(Number(header)) ? (Date.parse(header) - Date.now()) / 1000 : Number(header);
  return seconds > 0 ? Math.ceil(seconds) : undefined;
}

/** Returns the object that text is as JSON; of an error page of a proxy an empty one. */
function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** Returns whose JWT this is; '' if that cannot be told. */
function subjectOf(jwt) {
  try {
    const { iss, sub } = JSON.parse(atob(jwt.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
    return `${iss} ${sub}`;
  } catch {
    return '';
  }
}
