/**
 * Imports a statement on a page: gets an access token from the broker, opens the vendor's
 * widget with it, and saves the result. It needs no other script, touches no page when it is
 * imported, and runs as it is. connect.d.ts explains what it offers.
 */

/** Title, message and remedy of each error. A broker's code that is not here gets those of its status. */
const english = {
  network: ['No connection', 'The service cannot be reached.', 'Check your connection, then try again.'],
  widget_not_loaded: ['The importer did not load', 'Its script could not be loaded.', 'Check your connection and content blockers, then try again.'],
  unauthenticated: ['Please sign in again', 'You are not signed in any more.', 'Sign in, then start the import again.'],
  access_ended: ['Your access to the importer has ended', 'It expired or was revoked.', 'Start the import again.'],
  subject_blocked: ['Imports are blocked', 'This account may not import statements.', 'Contact support.'],
  forbidden: ['This is not allowed', 'This account may not do that.', 'Contact support.'],
  other_user: ['Someone else is signed in', 'The statement was read for another account.', 'Sign in as before, then start the import again.'],
  rate_limited: ['Too many attempts', 'The limit is reached for now.', 'Wait a moment, then try again.'],
  out_of_credits: ['No more imports for now', 'The credits for imports are used up.', 'Try again later; if that does not help, contact support.'],
  unavailable: ['The service has a problem', 'It could not answer.', 'Try again in a moment.'],
  invalid_password: ['Wrong password', 'The statement has another password.', 'It is usually your PAN in capital letters. Check it, then try again.'],
  unreadable_statement: ['This file could not be read', 'It is not a statement that we know.', 'Choose the original PDF of the e-mail, or request a new one.'],
  generator_failed: ['The statement was not requested', 'The request was not accepted.', 'Check what you entered, then try again.'],
  cdsl_fetch_failed: ['CDSL did not send the statement', 'It did not accept the details or the OTP.', 'Check them, then try again, or upload the PDF.'],
  inbox_failed: ['The mailbox could not be read', 'The connection to it failed.', 'Connect it again, or upload the PDF.'],
  inbound_email_failed: ['The forwarded mail was not read', 'It did not arrive, or had no statement.', 'Forward it again, or upload the PDF.'],
  too_large: ['This statement is too large', 'It has more than the service takes.', 'Request one for a shorter period.'],
  invalid_statement: ['The statement was not saved', 'Something in it is not as it should be.', 'Request a new statement, or contact support.'],
  other_owner: ['This is another person’s statement', 'Its PAN is not yours.', 'Choose a statement of your own.'],
  quota_exceeded: ['No room for more statements', 'You have stored as many as you may.', 'Delete some, then import this one again.'],
  unknown: ['Something went wrong', 'The import failed.', 'Try again; if that does not help, contact support.'],
};
const reopened = 'Your access had expired and was renewed. Please go on.';

/** Codes of the widget, of all its generations. */
const widgetCodes = {
  INVALID_PASSWORD: 'invalid_password', AUTHENTICATION: 'access_ended', TOKEN_EXPIRED: 'access_ended', RATE_LIMITED: 'rate_limited',
  NETWORK: 'network', PARSE_ERROR: 'unreadable_statement', GENERATOR_ERROR: 'generator_failed', CDSL_FETCH_ERROR: 'cdsl_fetch_failed',
  INBOX_ERROR: 'inbox_failed', INBOUND_EMAIL_ERROR: 'inbound_email_failed', INSUFFICIENT_CREDITS: 'out_of_credits',
};

const patience = 60_000; // ms; how long a save is retried
const tokenPatience = 4_000; // ms; the user waits for the widget

export class ConnectError extends Error {
  constructor(/** @type {object} */ { message, cause, ...more }) {
    super(message, { cause });
    Object.assign(this, { name: 'ConnectError', ...more });
  }
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const vendorWidget = () => globalThis.PortfolioConnect ?? globalThis.CASParserConnect;
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');

/** @type {Promise<object> | undefined} the widget's script, once for all of the page */
let loading;

/** @type {typeof import('./connect.js').createConnect} */
export function createConnect(options = {}) {
  const base = (options.brokerUrl ?? (/^http/.test(import.meta.url) ? new URL('.', import.meta.url).href : '')).replace(/\/+$/, '');
  const tokenUrl = options.tokenUrl ?? `${base}/v1/token`;
  const saveUrl = options.saveUrl ?? `${base}/v1/portfolios`;
  const listeners = new Set();
  const refused = new Set(); // access tokens
  let words = { ...english, reopened };
  let token, minting, running;

  function emit(name, more) {
    for (const listener of listeners) {
      try {
        listener({ name, ...more });
      } catch (exception) {
        reportError(exception);
      }
    }
  }

  /** Returns an error with the texts of code or, if there are none, of like. */
  function failure(code, { like = 'unknown', ...more } = {}) {
    const [title, message, remediation] = words[code] ?? words[like];
    const said = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined));
    return new ConnectError({ code, title, message, remediation, retryable: false, ...said, ...options.texts?.[code] });
  }

  /** Loads the texts of another language than English. */
  async function speak() {
    if (options.language === 'hi' && words.reopened === reopened) words = { ...words, ...(await import('./connect/hi.js')).default };
  }

  async function userToken(fresh) {
    if (!options.getUserToken) return '';
    try {
      return (await options.getUserToken({ fresh })) || '';
    } catch (cause) {
      throw failure('unauthenticated', { cause });
    }
  }

  /** Sends a request as the user, with a fresh user token once on 401, and returns its JSON. */
  async function call(method, url, { body, headers, ms = 15_000 } = {}) {
    for (let fresh = false; ; fresh = true) {
      const jwt = await userToken(fresh);
      const init = {
        method, body, cache: 'no-store', credentials: options.getUserToken ? 'omit' : 'include', signal: AbortSignal.timeout(ms),
        headers: { Accept: 'application/json', ...(body && { 'Content-Type': 'application/json' }), ...(jwt && { Authorization: `Bearer ${jwt}` }), ...headers },
      };
      let response, text;
      try {
        response = await fetch(url, init);
        text = await response.text();
      } catch (cause) {
        throw failure('network', { cause, retryable: true });
      }
      if (response.status === 401 && jwt && !fresh) continue;
      let answer;
      try {
        answer = JSON.parse(text);
      } catch {
        // an error page of a proxy, or nothing
      }
      if (!response.ok) throw problem(response, answer ?? {});
      return answer;
    }
  }

  /** Returns the error for an answer of the broker or of the app's own back end. */
  function problem({ status, headers }, { code, detail, request_id }) {
    const like = { 401: 'unauthenticated', 402: 'out_of_credits', 403: 'forbidden', 413: 'too_large', 422: 'invalid_statement', 429: 'rate_limited' }[status] ??
      (status >= 500 ? 'unavailable' : 'unknown');
    return failure(code ?? like, {
      like, status, requestId: request_id ?? headers.get('X-Request-ID') ?? undefined, retryAfter: secondsOf(headers.get('Retry-After')),
      retryable: status === 429 || status >= 500 || code === 'idempotency_in_flight',
      message: english[code] || options.language === 'hi' ? undefined : detail,
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

  /** Returns an access token of the present user that is not about to expire and was not refused. */
  async function accessToken() {
    const who = options.user ?? subjectOf(await userToken(false));
    if (token?.who === who && Date.now() < token.until) return token;
    minting ??= mint(who).finally(() => {
      minting = undefined;
    });
    return minting;
  }

  async function mint(who) {
    const ask = () => retry(() => call('POST', tokenUrl, { body: options.token && JSON.stringify(options.token) }), tokenPatience, 'token_retry');
    let answer = (await ask()) ?? {};
    if (refused.has(answer.access_token) && answer.grant_id) { // the broker does not know that it was refused
      await call('POST', `${base}/v1/token/revoke`, { body: JSON.stringify({ grant_id: answer.grant_id }) });
      answer = (await ask()) ?? {};
    }
    const value = answer.access_token ?? answer.accessToken ?? answer.token;
    if (!value || refused.has(value)) throw failure('access_ended');
    const life = 1000 * (answer.expires_in || 60);
    const expiry = Date.parse(answer.expires_at);
    const rest = expiry - Date.parse(answer.refresh_after) || life / 2; // by differences: this clock may be wrong
    token = { who, value, until: Date.now() + life - rest, url: answer.api_base_url, grant: answer.grant_id, ahead: expiry - life - Date.now() || 0 };
    emit('token', { gateway: Boolean(token.url) });
    return token;
  }

  function widget() {
    if (vendorWidget()) return vendorWidget();
    loading ??= load().catch((error) => {
      loading = undefined;
      throw error;
    });
    return loading;
  }

  async function load() {
    const { url, integrity, nonce, timeoutMs = 15_000 } = options.widget ?? {};
    const place = url ? { url, integrity } : await retry(() => locate(timeoutMs), tokenPatience, 'widget_retry');
    await new Promise((resolve) => {
      const script = document.createElement('script');
      Object.assign(script, { src: new URL(place.url, base || location.href).href, crossOrigin: 'anonymous', onload: resolve, onerror: resolve });
      if (place.integrity) script.integrity = place.integrity;
      if (nonce) script.nonce = nonce;
      setTimeout(resolve, timeoutMs);
      document.head.append(script);
    });
    if (!vendorWidget()) throw failure('widget_not_loaded', { retryable: true });
    return vendorWidget();
  }

  async function locate(ms) {
    try {
      const response = await fetch(`${base}/connect/widget.json`, { credentials: 'omit', signal: AbortSignal.timeout(ms) });
      return await response.json();
    } catch (cause) {
      throw failure('network', { cause, retryable: true });
    }
  }

  /** Opens the widget once and returns {data, metadata}, {error} or {}. */
  function show(vendor, { value, url }, o, config, onAbort) {
    return new Promise((resolve) => {
      let last, instance;
      const end = (result) => resolve(result.data === undefined && last ? { error: last } : result);
      const take = (result) => end(result?.status === 'success' ? result : { error: result?.error });
      const settings = {
        ...(vendor !== globalThis.PortfolioConnect && config), ...o, accessToken: value, apiBaseUrl: url ?? options.widget?.apiBaseUrl, config,
        onSuccess: (data, metadata, ...rest) => end(metadata === undefined && data && 'data' in data ? data : { data, metadata }),
        onError: (error) => {
          last = error;
          if (instance?.destroy && widgetCodes[error?.code] === 'access_ended') {
            end({});
            instance.destroy();
          }
        },
        onExit: () => setTimeout(end, 1000, {}), // unless the promise says more
        onEvent: (event, metadata) => {
          emit('widget', { event, ...harmless(metadata) });
          o.onEvent?.(event, metadata);
        },
      };
      instance = onAbort && vendor.create?.(settings);
      onAbort?.(() => {
        instance?.destroy?.();
        last = undefined;
        end({});
      });
      Promise.resolve(instance ? instance.open() : vendor.open(settings)).then(
        (result) => result?.status && take(result),
        (error) => end(/closed/i.test(error?.message) ? {} : { error: error ?? {} }),
      );
    });
  }

  /** Returns the error for one of the widget. */
  function widgetError({ code, title, message, remediation, retryable, details } = {}) {
    const ours = widgetCodes[code] ?? 'unknown';
    const said = options.language === 'hi' ? {} : { title, message, remediation };
    return failure(ours, { ...said, retryable, status: details?.status, requestId: details?.requestId, retryAfter: details?.retryAfter });
  }

  async function run(o, onAbort) {
    try {
      const [vendor] = await Promise.all([widget(), accessToken(), speak()]);
      let { config } = o;
      for (let again = false; ; again = true) {
        const current = await accessToken();
        emit('opened');
        const { data, metadata, error } = await show(vendor, current, o, config, onAbort);
        if (data !== undefined) return await save({ data, metadata });
        if (error && widgetCodes[error.code] === 'access_ended') {
          refused.add(current.value);
          token = undefined;
          if (!again) {
            emit('reopened');
            config = { ...config, subtitle: options.texts?.reopened ?? words.reopened };
            continue;
          }
        }
        if (error) throw widgetError(error);
        emit('closed');
        return { status: 'closed' };
      }
    } catch (error) {
      emit('error', { code: error.code, retryable: error.retryable });
      return { status: 'error', error: error instanceof ConnectError ? error : failure('unknown', { cause: error }) };
    }
  }

  async function save(payload) {
    const headers = { 'Idempotency-Key': `"${newKey()}"` };
    const portfolio = await retry(() => call('POST', saveUrl, { body: JSON.stringify(payload), headers, ms: patience }), patience, 'save_retry');
    emit('saved');
    return { status: 'saved', portfolio };
  }

  return {
    async prefetch() {
      if (typeof document !== 'undefined') await Promise.all([widget(), accessToken(), speak()]);
    },
    open(o = {}) {
      running ??= run(o).finally(() => {
        running = undefined;
      });
      return running;
    },
    async resume() {
      return undefined;
    },
    on(_event, listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Returns the seconds of a header Retry-After, which is a number or a date. */
function secondsOf(header) {
  if (!header) return undefined;
  return /^\s*\d+\s*$/.test(header) ? Number(header) : Math.max(0, Math.ceil((Date.parse(header) - Date.now()) / 1000)) || undefined;
}

/** Returns whose JWT this is; of another token, itself. */
function subjectOf(jwt) {
  try {
    const { iss, sub } = JSON.parse(atob(jwt.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
    return `${iss} ${sub}`;
  } catch {
    return jwt;
  }
}

/** Returns the metadata of a widget's event that cannot be of a person: codes and numbers, no names of files. */
function harmless(metadata) {
  const names = ['code', 'mode', 'cas_type', 'parser_type', 'source', 'method', 'provider', 'retryable', 'percent', 'size', 'parse_duration_ms'];
  return Object.fromEntries(names.filter((n) => ['number', 'boolean'].includes(typeof metadata?.[n]) || /^[A-Za-z_]{1,40}$/.test(metadata?.[n] ?? '')).map((n) => [n, metadata[n]]));
}
