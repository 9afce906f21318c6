/** A user's session with the broker: the JWT, and requests with it. */

/** An error response of the broker, or no response (status 0). */
export class BrokerError extends Error {
  /** @param {{status: number, code: string, detail?: string, requestId?: string, retryAfter?: number}} response */
  constructor({ status, code, detail = '', requestId = '', retryAfter = 0 }) {
    super(`${status} ${code}`);
    Object.assign(this, { status, code, detail, requestId, retryAfter }); // retryAfter in seconds
  }
}

/** The session of one user. The JWT is kept in memory only. */
export class Session {
  #jwt = '';
  /** @type {Promise<string> | undefined} */
  #signingIn;
  #controller = new AbortController();

  constructor(/** @type {string} */ user) {
    this.user = user;
  }

  /**
   * Returns the user's JWT. Concurrent calls share one sign-in.
   * @param {{fresh?: boolean}} [options] fresh: a new one, since the broker refused the last
   * @returns {Promise<string>}
   */
  token({ fresh = false } = {}) {
    if (this.#jwt && !fresh) return Promise.resolve(this.#jwt);
    this.#signingIn ??= send('POST', '/demo/sign-in', { body: { user: this.user }, signal: this.signal })
      .then(({ jwt }) => (this.#jwt = jwt))
      .finally(() => {
        this.#signingIn = undefined;
      });
    return this.#signingIn;
  }

  /** Ends the session: requests in progress fail with an AbortError. */
  end() {
    this.#jwt = '';
    this.#controller.abort();
  }

  get ended() {
    return this.#controller.signal.aborted;
  }

  get signal() {
    return this.#controller.signal;
  }

  /** Sends a request as the user. On a 401 it signs in again and retries once. */
  async call(method, path, options = {}) {
    const attempt = (/** @type {string} */ jwt) =>
      send(method, path, { ...options, headers: { ...options.headers, Authorization: `Bearer ${jwt}` }, signal: this.signal });
    try {
      return await attempt(await this.token());
    } catch (error) {
      if (error.status !== 401 || this.ended) throw error;
      return attempt(await this.token({ fresh: true }));
    }
  }
}

/** Sends one request and returns its JSON or, with file, a Download; throws a BrokerError. */
export async function send(method, path, { body, headers = {}, signal, file = false } = {}) {
  const init = { method, headers: { Accept: 'application/json', ...headers }, signal, cache: 'no-store' };
  if (body !== undefined) {
    init.headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  let response, content;
  try {
    response = await fetch(path, init);
    content = await (file && response.ok ? response.blob() : response.text());
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new BrokerError({ status: 0, code: 'network' });
  }
  if (!response.ok) throw errorFrom(response, content);
  if (file) return { blob: content, name: fileName(response) };
  return content === '' ? undefined : parse(content, response);
}

/** Returns the file name that the broker gives a download. */
function fileName(response) {
  return /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition') ?? '')?.[1] ?? 'download';
}

function parse(text, response) {
  try {
    return JSON.parse(text);
  } catch {
    throw new BrokerError({ status: 502, code: 'unreadable', requestId: requestID(response) });
  }
}

/** Returns the BrokerError for a response that is problem+json or anything else. */
function errorFrom(response, text) {
  let problem = {};
  try {
    problem = JSON.parse(text) ?? {};
  } catch {
    // not JSON, such as an error page of a proxy: only the status is known
  }
  return new BrokerError({
    status: response.status,
    code: problem.code ?? `http_${response.status}`,
    detail: problem.detail,
    requestId: problem.request_id ?? requestID(response),
    retryAfter: Number.parseInt(response.headers.get('Retry-After') ?? '', 10) || 0,
  });
}

function requestID(response) {
  return response.headers.get('X-Request-ID') ?? '';
}
