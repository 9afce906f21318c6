/**
 * connect.js in Node.js, without a page, against a broker that runs: BROKER_URL, and USER_JWTS,
 * the JWTs of users by name. The Go test TestModuleInNode starts them.
 */

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { ConnectError, createConnect } from '../connect.js';
import en from '../connect/en.js';
import hi from '../connect/hi.js';
import { failed, install, parse } from './stub.js';

const brokerUrl = process.env.BROKER_URL;
const jwts = JSON.parse(process.env.USER_JWTS);

/** Counts requests by method and path, and lets a test answer them: answers[path] is called first. */
const sent = [];
const answered = [];
const answers = {};
const realFetch = globalThis.fetch;
globalThis.fetch = async (url, init = {}) => {
  const path = new URL(url).pathname;
  sent.push(`${init.method ?? 'GET'} ${path}`);
  const answer = (await answers[path]?.(init)) ?? (await realFetch(url, init));
  answered.push(path);
  return answer;
};
const count = (what) => sent.filter((s) => s === what).length;

function connectAs(user, options) {
  sent.length = answered.length = 0;
  for (const path of Object.keys(answers)) delete answers[path];
  return createConnect({ brokerUrl, getUserToken: () => jwts[user], token: { mode: 'gateway' }, ...options });
}

const problem = (status, code, headers = {}) =>
  new Response(JSON.stringify({ status, code, detail: 'D', request_id: 'req_1' }), { status, headers });

async function until(ready) {
  for (const end = Date.now() + 10_000; !ready(); await new Promise((done) => setTimeout(done, 5))) assert.ok(Date.now() < end, 'it takes too long');
}

test('a statement is parsed through the gateway and saved', async () => {
  const connect = connectAs('asha');
  const calls = install((o) => parse(o));
  const result = await connect.open({ config: { title: 'T' } });
  assert.equal(result.status, 'saved', result.error);
  assert.match(result.portfolio.id, /^pf_/);
  assert.equal(result.portfolio.provenance, 'verified');
  assert.match(calls[0].accessToken, /^at_/);
  assert.ok(calls[0].apiBaseUrl.startsWith(brokerUrl));
  assert.deepEqual(calls[0].config, { title: 'T' });
  assert.equal(count('POST /v1/portfolios'), 0, 'the broker had it already');
});

test('a direct token has no apiBaseUrl, and the result is posted', async () => {
  const connect = connectAs('asha', { token: { mode: 'direct' }, widget: { apiBaseUrl: process.env.VENDOR_URL } });
  install((o) => parse(o, 'nsdl'));
  const result = await connect.open();
  assert.equal(result.status, 'saved', result.error);
  assert.equal(result.portfolio.provenance, 'reported');
  assert.equal(result.metadata.filename, 'statement.pdf');
  assert.equal(count('POST /v1/portfolios'), 1);
  assert.equal(count('GET /v1/portfolios'), 0);
});

test('all generations of the widget end as they should', async () => {
  const data = { meta: { cas_type: 'CDSL' } };
  const options = { saveUrl: false };
  const parsed = { status: 'parsed', data, metadata: { a: 1 } };
  for (const [name, global, script, want] of [
    ['2.x resolves', 'PortfolioConnect', async () => ({ status: 'success', data, metadata: { a: 1 } }), parsed],
    ['2.x calls back with two arguments', 'PortfolioConnect', async (o) => { o.onSuccess(data, { a: 1 }); return { status: 'closed' }; }, parsed],
    ['older: one object', 'CASParserConnect', (o) => { o.onSuccess({ data, metadata: { a: 1 } }); }, parsed],
    ['older still: only the data', 'CASParserConnect', (o) => { o.onSuccess(data); }, { status: 'parsed', data, metadata: undefined }],
    ['2.x closes', 'PortfolioConnect', async () => ({ status: 'closed' }), { status: 'closed' }],
    ['older rejects', 'CASParserConnect', async () => { throw new Error('Widget closed by user'); }, { status: 'closed' }],
    ['older only says that it has closed', 'CASParserConnect', (o) => { o.onExit(); }, { status: 'closed' }],
  ]) {
    install(script, global);
    assert.deepEqual({ ...await connectAs('asha', options).open() }, want, name);
  }
  const calls = install((o) => { o.onError({ code: 'PARSE_ERROR', retryable: false }); }, 'CASParserConnect');
  const { error } = await connectAs('asha', options).open({ config: { enableCdslFetch: true } });
  assert.equal(error.code, 'parse_error');
  assert.equal(error.title, en.parse_error[0]);
  assert.equal(calls[0].enableCdslFetch, true, 'older builds have their settings at the top');
});

test('a token is used again until it should be renewed, and never for another user', async () => {
  let user = 'asha';
  const connect = connectAs('asha', { getUserToken: () => jwts[user] });
  const calls = install(async () => ({ status: 'closed' }));
  await connect.prefetch();
  await connect.open();
  await connect.open();
  assert.equal(count('POST /v1/token'), 1);
  assert.equal(calls[0].accessToken, calls[1].accessToken);
  user = 'ravi';
  await connect.open();
  assert.equal(count('POST /v1/token'), 2);
  assert.notEqual(calls[2].accessToken, calls[1].accessToken);
});

test('what was parsed for one user is not saved for another', async () => {
  let user = 'asha';
  const connect = connectAs('asha', { getUserToken: () => jwts[user] });
  install(async (o) => {
    const result = await parse(o);
    user = 'ravi';
    return result;
  });
  const { error } = await connect.open();
  assert.equal(error.code, 'other_user');
  assert.equal(count('POST /v1/portfolios'), 0);
});

test('with a user token that tells nothing, the broker tells whose the access token is', async () => {
  let headers = { Authorization: `Bearer ${jwts.asha}` };
  const connect = connectAs('asha', { getUserToken: undefined, token: { mode: 'direct' }, widget: { apiBaseUrl: process.env.VENDOR_URL } });
  for (const path of ['/v1/token', '/v1/portfolios']) answers[path] = (init) => realFetch(brokerUrl + path, { ...init, headers: { ...init.headers, ...headers } });
  install(async (o) => {
    const result = await parse(o);
    headers = { Authorization: `Bearer ${jwts.ravi}` }; // the cookie is another user's now
    const { grant } = await grantOf(connect);
    answers[`/v1/grants/${grant}`] = (init) => realFetch(`${brokerUrl}/v1/grants/${grant}`, { ...init, headers });
    return result;
  });
  const { error } = await connect.open();
  assert.equal(error.code, 'other_user');
  assert.equal(count('POST /v1/portfolios'), 0);

  async function grantOf() {
    const answer = await realFetch(`${brokerUrl}/v1/token`, { method: 'POST', headers: { Authorization: `Bearer ${jwts.asha}`, 'Content-Type': 'application/json' }, body: '{"mode":"direct"}' });
    return { grant: (await answer.json()).grant_id };
  }
});

test('a 401 gets a fresh user token, once', async () => {
  const asked = [];
  const connect = connectAs('asha', { getUserToken: ({ fresh }) => { asked.push(fresh); return fresh ? jwts.asha : `${jwts.asha}x`; } });
  install(async () => ({ status: 'closed' }));
  assert.equal((await connect.open()).status, 'closed');
  assert.equal(count('POST /v1/token'), 2);
  assert.deepEqual(asked.slice(0, 3), [false, false, true], 'whose token it is, and each attempt');
  const signedOut = connectAs('asha', { getUserToken: () => 'nonsense' });
  const { error } = await signedOut.open();
  assert.ok(error instanceof ConnectError);
  assert.equal(error.status, 401);
  assert.equal(error.title, en.unauthenticated[0]);
  assert.equal(count('POST /v1/token'), 2);
  const broken = connectAs('asha', { getUserToken: () => Promise.reject(new Error('session')) });
  const refused = (await broken.open()).error;
  assert.deepEqual([refused.code, refused.title], ['unauthenticated', en.unauthenticated[0]]);
});

test('an app that never answers is an error, not an endless wait', async () => {
  let asked = 0;
  const connect = connectAs('asha', { getUserToken: () => (asked++ < 10 ? jwts.asha : new Promise(() => {})) });
  install(async () => ({ status: 'closed' }));
  await connect.open();
  asked = 10;
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const result = connect.open();
    for (let i = 0; i < 100 && asked === 10; i += 1) await Promise.resolve();
    mock.timers.tick(60_000);
    assert.equal((await result).error.code, 'unauthenticated');
  } finally {
    mock.timers.reset();
  }
});

test('where nobody is signed in, nothing is resumed and everything can be forgotten', async () => {
  const connect = connectAs('asha', { getUserToken: () => Promise.reject(new Error('session')), keepUnsaved: 'session' });
  assert.equal(await connect.resume(), undefined);
  await connect.forget(); // though there is no sessionStorage
});

test('a page that the browser shows again gets a token for who is signed in now', async () => {
  const shown = [];
  globalThis.addEventListener = (name, listener) => name === 'pageshow' && shown.push(listener);
  try {
    const connect = connectAs('asha', { getUserToken: undefined, tokenUrl: `${brokerUrl}/own`, saveUrl: false });
    let user = 'asha';
    answers['/own'] = () => Response.json({ access_token: `at_${user}`, expires_in: 600 });
    const calls = install(async () => ({ status: 'closed' }));
    await connect.open();
    user = 'ravi';
    for (const listener of shown) listener({ persisted: true });
    await connect.open();
    assert.deepEqual(calls.map((o) => o.accessToken), ['at_asha', 'at_ravi']);
  } finally {
    delete globalThis.addEventListener;
  }
});

test('a token that is on its way for one user is not given to another', async () => {
  let user = 'asha';
  const connect = connectAs('asha', { getUserToken: () => jwts[user], tokenUrl: `${brokerUrl}/own`, saveUrl: false });
  const calls = install(async () => ({ status: 'closed' }));
  let answer;
  const late = new Promise((done) => { answer = () => done(Response.json({ access_token: 'at_asha', expires_in: 600 })); });
  answers['/own'] = () => (user === 'asha' ? late : Response.json({ access_token: 'at_ravi', expires_in: 600 }));
  const gone = new AbortController();
  const first = connect.open({ signal: gone.signal });
  await until(() => count('POST /own') === 1);
  gone.abort();
  await first;
  user = 'ravi';
  await connect.open();
  answer();
  await connect.open();
  assert.deepEqual(calls.map((o) => o.accessToken), ['at_ravi', 'at_ravi']);
});

test('an access token that was refused is renewed once, and the user is told', async () => {
  const events = [];
  const connect = connectAs('asha');
  connect.on('event', (e) => events.push(e.name));
  const calls = install(async (o, n) => (n === 1 ? failed('AUTHENTICATION', false) : parse(o)));
  const result = await connect.open({ config: { title: 'T', prefill: { pan: 'ABCDE1234F' } } });
  assert.equal(result.status, 'saved', result.error);
  assert.notEqual(calls[1].accessToken, calls[0].accessToken);
  assert.deepEqual(calls[1].config, { title: 'T', prefill: { pan: 'ABCDE1234F' }, subtitle: en.reopened[1] });
  assert.equal(count('POST /v1/token/revoke'), 1, 'else the broker would hand out the same again');
  assert.ok(events.includes('reopened'));

  const again = install(async () => failed('AUTHENTICATION', false));
  const { error } = await connectAs('asha').open();
  assert.equal(error.code, 'authentication');
  assert.equal(again.length, 2);
});

test('a forwarding address is kept when the widget is opened again', async () => {
  const calls = install(async (o, n) => {
    if (n > 1) return { status: 'closed' };
    o.onEvent('INBOUND_EMAIL_CREATED', { inbound_email_id: 'ie_1' });
    return failed('AUTHENTICATION', false);
  });
  assert.equal((await connectAs('ravi').open({ config: { enableInboundEmail: true, inboundEmail: { reference: 'r' } } })).status, 'closed');
  assert.deepEqual(calls[1].config.inboundEmail, { reference: 'r', existingId: 'ie_1' });
});

test('a save is retried with one key, as long as that may help', async (t) => {
  const realTimeout = globalThis.setTimeout;
  globalThis.setTimeout = (f, ms, ...args) => realTimeout(f, ms / 100, ...args); // the events say how long it would wait
  t.after(() => { globalThis.setTimeout = realTimeout; });
  const keys = new Set();
  const waits = [];
  const connect = connectAs('meera', { token: { mode: 'direct' }, widget: { apiBaseUrl: process.env.VENDOR_URL } });
  connect.on('event', (e) => e.name === 'save_retry' && waits.push([e.code, e.wait_ms]));
  const failures = [() => { throw new TypeError('fetch failed'); }, () => problem(503, 'save_unavailable'),
    () => problem(429, 'rate_limited', { 'Retry-After': '1' }), () => problem(500, 'internal', { 'Retry-After': new Date(Date.now() + 1000).toUTCString() })];
  answers['/v1/portfolios'] = (init) => {
    keys.add(init.headers['Idempotency-Key']);
    return failures.shift()?.();
  };
  install((o) => parse(o));
  const result = await connect.open();
  assert.equal(result.status, 'saved', result.error);
  assert.equal(keys.size, 1);
  assert.deepEqual(waits.map(([code]) => code), ['network', 'save_unavailable', 'rate_limited', 'internal']);
  assert.ok(waits[2][1] >= 1000, `${waits[2]}`);
});

test('a limit that lasts too long is an error with the seconds to wait', async () => {
  const connect = connectAs('asha');
  answers['/v1/token'] = () => problem(429, 'rate_limited', { 'Retry-After': '47' });
  install(() => assert.fail('opened'));
  const { error } = await connect.open();
  const { code, title, message, remediation, retryable, retryAfter, requestId, status } = error;
  assert.deepEqual({ code, retryable, retryAfter, requestId, status }, { code: 'rate_limited', retryable: true, retryAfter: 47, requestId: 'req_1', status: 429 });
  assert.deepEqual([title, message, remediation], en.rate_limited);
});

test('a budget that is used up has a code of its own, and says when it renews', async () => {
  const spent = (serverCode, serverMessage, retryAfter) => ({ status: 'error', error: { code: 'UNKNOWN', title: 'T', message: 'M', remediation: 'R', retryable: true,
    details: { status: 402, serverCode, serverMessage, requestId: 'req_1', retryAfter } } });
  for (const [language, error, want] of [
    ['en', spent('BUDGET_EXHAUSTED', 'It renews on 1 May.', 60), ['budget_exhausted', en.budget_exhausted[0], 'It renews on 1 May.', en.budget_exhausted[2], 60]],
    ['hi', spent('BUDGET_EXHAUSTED', 'It renews on 1 May.', 60), ['budget_exhausted', ...hi.budget_exhausted, 60]],
    ['en', spent('INSUFFICIENT_CREDITS', 'Insufficient credits'), ['insufficient_credits', ...en.insufficient_credits, undefined]],
    ['hi', spent(), ['insufficient_credits', ...hi.insufficient_credits, undefined]],
  ]) {
    install(async () => error);
    const { code, title, message, remediation, retryAfter, retryable, requestId } = (await connectAs('vikram', { language }).open()).error;
    assert.deepEqual([code, title, message, remediation, retryAfter], want);
    assert.deepEqual([retryable, requestId], [false, 'req_1']);
  }
});

test('what cannot be saved is an error, not retried', async () => {
  const connect = connectAs('asha', { token: { mode: 'direct' } });
  install(async () => ({ status: 'success', data: { not: 'a statement' } }));
  const { error } = await connect.open();
  assert.equal(error.code, 'not_a_statement');
  assert.equal(error.retryable, false);
  assert.match(error.requestId, /^req_/);
  assert.equal(count('POST /v1/portfolios'), 1);
});

test('errors speak English or Hindi, or as the app says', async () => {
  for (const [options, title, message] of [
    [{}, en.subject_blocked[0], en.subject_blocked[1]],
    [{ language: 'hi' }, hi.subject_blocked[0], hi.subject_blocked[1]],
    [{ texts: { subject_blocked: { title: 'Paused' } } }, 'Paused', en.subject_blocked[1]],
  ]) {
    const connect = connectAs('asha', options);
    answers['/v1/token'] = () => problem(403, 'subject_blocked');
    install(() => assert.fail('opened'));
    const { error } = await connect.open();
    assert.deepEqual([error.code, error.title, error.message], ['subject_blocked', title, message]);
  }
  const connect = connectAs('asha');
  answers['/v1/token'] = () => problem(403, 'no_tokens_on_sundays');
  const { error } = await connect.open();
  assert.deepEqual([error.code, error.title, error.message], ['no_tokens_on_sundays', en.forbidden[0], 'D']);

  // The app's own routes answer as their frameworks do.
  for (const body of [{ code: 'constructor' }, { code: '__proto__' }, { detail: [{ loc: ['body'], msg: 'field required' }] }, 'text', [], null, 5]) {
    answers['/v1/token'] = () => new Response(JSON.stringify(body), { status: 422 });
    const { error } = await connect.open();
    assert.deepEqual([error.status, error.title, error.message], [422, ...en.invalid_statement.slice(0, 2)], JSON.stringify(body));
  }
});

test('both languages have the same texts, complete', () => {
  assert.deepEqual(Object.keys(hi), Object.keys(en));
  for (const [code, texts] of Object.entries({ ...en, ...Object.fromEntries(Object.entries(hi).map(([k, v]) => [`${k} (hi)`, v])) })) {
    if (code.startsWith('reopened')) continue;
    assert.equal(texts.length, 3, code);
    for (const text of texts) assert.ok(text.trim() === text && text !== '', code);
  }
});

test('events have no personal data', async () => {
  const events = [];
  const connect = connectAs('asha');
  const stop = connect.on('event', (e) => events.push(e));
  connect.on('event', () => { throw new Error('of a listener'); });
  globalThis.reportError = () => {};
  install((o) => parse(o));
  await connect.open();
  const names = events.map((e) => e.event ?? e.name);
  assert.deepEqual(names, ['token', 'opened', 'FILE_SELECTED', 'UPLOAD_STARTED', 'saved']);
  assert.doesNotMatch(JSON.stringify(events), /Asha|ABCDE|at_|gr_|pf_|eyJ/);
  stop();
  await connect.open();
  assert.equal(events.length, 5);
});

test('concurrent calls share one widget, and a signal closes it', async () => {
  const connect = connectAs('asha');
  let finish;
  const destroyed = [];
  const calls = install(() => new Promise((resolve) => { finish = resolve; }));
  globalThis.PortfolioConnect.create = (o) => ({ open: () => globalThis.PortfolioConnect.open(o), destroy: () => destroyed.push(1) });
  const [first, second] = [new AbortController(), new AbortController()];
  const results = [connect.open({ signal: first.signal }), connect.open({ signal: second.signal })];
  await until(() => finish);
  assert.equal(calls.length, 1);
  first.abort();
  assert.deepEqual(await results[0], { status: 'closed' });
  assert.equal(destroyed.length, 0, 'another call still waits');
  second.abort();
  assert.deepEqual(await results[1], { status: 'closed' });
  await until(() => destroyed.length > 0);
  assert.deepEqual(await connect.open({ signal: AbortSignal.abort() }), { status: 'closed' });
});

test('after a signal has closed it, it opens again, though the first is not over', async () => {
  const connect = connectAs('asha');
  const calls = install(async () => ({ status: 'closed' }));
  let answer;
  answers['/v1/token'] = () => { delete answers['/v1/token']; return new Promise((done) => { answer = done; }); };
  const gone = new AbortController();
  const first = connect.open({ signal: gone.signal }); // such as of a component that is mounted twice
  await until(() => answer);
  gone.abort();
  assert.deepEqual(await first, { status: 'closed' });
  const second = connect.open();
  answer();
  assert.equal((await second).status, 'closed');
  assert.equal(calls.length, 1);
});

/** Waits until the module knows which parses are older than this import. */
const begun = () => until(() => answered.some((path) => path.startsWith('/v1/grants/'))).then(() => new Promise((done) => setTimeout(done)));

test('a parse whose answer was lost is found at the broker', async () => {
  const connect = connectAs('vikram');
  install(async (o) => {
    await begun();
    await parse(o); // but the page does not learn that
    return failed('NETWORK', true);
  });
  const result = await connect.open();
  assert.equal(result.status, 'saved', result.error);
  assert.equal(result.portfolio.provenance, 'verified');
});

test('what an earlier import saved is not reported for a later one', async () => {
  const connect = connectAs('vikram');
  install((o) => parse(o));
  assert.equal((await connect.open()).status, 'saved');
  install(async (o) => {
    o.onEvent('UPLOAD_STARTED', {}); // the request does not reach the broker, and the module may not know yet which parses are older
    return failed('NETWORK', true);
  });
  assert.equal((await connect.open()).error?.code, 'network');
  install(async (o) => {
    await begun();
    return parse(o, 'cdsl', 'wrong');
  });
  assert.equal((await connect.open()).error?.code, 'invalid_password');
});

test('what another tab saved meanwhile is not reported as this one’s', async () => {
  const [connect, other] = [connectAs('meera'), connectAs('meera')];
  let go, mine;
  const scripts = [async (o) => { // this tab's
    await begun();
    mine = await parse(o, 'meera-cdsl');
    await new Promise((resolve) => { go = resolve; });
    return mine;
  }, (o) => parse(o, 'meera-nsdl')];
  install((o, n) => scripts[n - 1](o));
  const first = connect.open();
  await until(() => go);
  const second = await other.open();
  go();
  const results = [await first, second];
  assert.deepEqual(results.map((r) => r.portfolio?.cas_type), ['CDSL', 'NSDL'], `${results.map((r) => r.error)}`);
  assert.notEqual(results[0].portfolio.id, results[1].portfolio.id);

  scripts[2] = async (o) => { // the answer is lost; another tab gets one
    await begun();
    o.onEvent('UPLOAD_STARTED', {});
    await Promise.all([parse({ ...o, onEvent: undefined }, 'meera-nsdl'), parse({ ...o, onEvent: undefined })]);
    return failed('NETWORK', true);
  };
  assert.equal((await connect.open()).error?.code, 'network', 'which of the two is ours is not known');
});

test('on a server nothing happens before a page opens it', async () => {
  delete globalThis.PortfolioConnect;
  delete globalThis.CASParserConnect;
  const connect = connectAs('asha', { keepUnsaved: true });
  await connect.prefetch();
  assert.equal(sent.length, 0);
  const { error } = await connect.open();
  assert.ok(error instanceof ConnectError, 'and it does not reject');
});
