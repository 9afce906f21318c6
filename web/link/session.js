/** The link's token, the secret of this browser's session, and the calls that are made with them. */

const calls = '/connect/session';
const storage = {
  get(key) { try { return sessionStorage.getItem(key) ?? ''; } catch { return memory.get(key) ?? ''; } },
  set(key, value) { memory.set(key, value); try { sessionStorage.setItem(key, value); } catch { /* not in this webview */ } },
  drop(key) { memory.delete(key); try { sessionStorage.removeItem(key); } catch { /* the same */ } },
};
const memory = new Map();

/** A call that failed: kind is "network", or "refused" with the broker's code. */
export class CallError extends Error {
  constructor(kind, more) {
    super(kind);
    Object.assign(this, { kind, ...more });
  }
}

/** Takes the link's token out of the address bar, and returns it; "" if there is none. */
export function takeToken() {
  const [, token] = /^\/connect\/([^/]+)$/.exec(location.pathname) ?? [];
  if (token && token !== 'link') {
    if (token !== storage.get('link')) storage.drop('session');
    storage.set('link', token);
    history.replaceState(null, '', '/connect/link');
  }
  return storage.get('link');
}

/** Returns the secret of the session that was started with this link in this browser, "" for none. */
export function currentSession() { return storage.get('session'); }

async function call(method, path, credential, body, more) {
  let response;
  try {
    response = await fetch(calls + path, {
      method, cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer', ...more,
      headers: { Authorization: `Bearer ${credential}`, ...(body && { 'Content-Type': 'application/json' }) }, body: body && JSON.stringify(body),
    });
  } catch (cause) {
    throw new CallError('network', { cause });
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new CallError('refused', {
    status: response.status, code: answer.code ?? '', requestId: answer.request_id ?? '', retryAfter: Number(response.headers.get('Retry-After')) || 0,
  });
}

/** Returns the state of the link. */
export function readLink(token) { return call('GET', '', token, undefined, { signal: AbortSignal.timeout(15_000) }); }

/** Starts the session, or goes on with it, and returns the link with the settings of the widget. */
export async function startSession(token) {
  let secret = currentSession();
  if (!secret) {
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    secret = 'cbls_' + btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
    storage.set('session', secret); // before the call: if its answer is lost, the same session goes on
  }
  const body = { session: secret };
  try {
    return await call('POST', '', token, body, { signal: AbortSignal.timeout(15_000) });
  } catch (error) {
    if (error.kind !== 'network' || navigator.onLine === false) throw error;
    return call('POST', '', token, body, { signal: AbortSignal.timeout(15_000) });
  }
}

let waiting = [];
let timer;

/** Reports a step of the session: a name, and the code of an error. */
export function report(step, code) {
  waiting.push(code ? { step, code } : { step });
  timer ??= setTimeout(sendSteps, 400);
}

function sendSteps() {
  clearTimeout(timer);
  timer = undefined;
  const session = currentSession();
  for (const steps = waiting.splice(0); session && steps.length > 0;) {
    call('POST', '/steps', session, { steps: steps.splice(0, 20) }, { keepalive: true }).catch(() => {}); // the import matters more
  }
}

addEventListener('pagehide', sendSteps);
