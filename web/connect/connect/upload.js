/**
 * The widget's onSubmit for POST /v1/statements of the broker, which parses and saves. connect.js
 * loads it with the option upload.
 */

const patience = 20_000; // ms; how long a lost connection is retried, with the same key
const timeout = 90_000; // ms; the broker waits a minute for the parser

/** The widget's code for one of the broker. */
const widgetCodes = { invalid_password: 'INVALID_PASSWORD', network: 'NETWORK', unauthenticated: 'AUTHENTICATION' };

export function createUploader({ base, options, failure, problem, retry, userToken, parse, newKey }) {
  /** @type {any} the portfolio of the last upload */
  let portfolio;
  let last; // the error of the last upload

  /** Sends a form and returns its answer. XMLHttpRequest says how far it is; fetch does not. */
  function send(form, key, jwt, onProgress) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open('POST', `${base}/v1/statements`);
      request.timeout = timeout;
      request.withCredentials = !options.getUserToken;
      request.setRequestHeader('Accept', 'application/json');
      request.setRequestHeader('Prefer', 'return=representation');
      request.setRequestHeader('Idempotency-Key', `"${key}"`);
      if (jwt) request.setRequestHeader('Authorization', `Bearer ${jwt}`);
      request.upload.onprogress = (e) => e.lengthComputable && onProgress?.(Math.floor((100 * e.loaded) / e.total));
      request.onerror = request.ontimeout = () => reject(failure('network', { retryable: true }));
      request.onload = () => {
        const answer = parse(request.responseText);
        if (request.status < 300) resolve(answer);
        else reject(problem(request.status, answer, (name) => request.getResponseHeader(name)));
      };
      request.send(form);
    });
  }

  async function sendAsUser(form, key, onProgress) {
    try {
      return await send(form, key, await userToken(false), onProgress);
    } catch (error) {
      if (error.status !== 401 || !options.getUserToken) throw error;
      return send(form, key, await userToken(true), onProgress);
    }
  }

  return {
    /** Uploads a statement and returns the vendor's data. It throws what the widget takes for an error of its own. */
    async submit(input, password, onProgress) {
      const form = new FormData();
      if (input.kind === 'url') form.append('pdf_url', input.pdfUrl);
      else form.append('pdf_file', input.file, 'statement.pdf'); // names of files have names of people
      form.append('password', password);
      const key = newKey();
      portfolio = last = undefined;
      try {
        const { data, ...saved } = await retry(() => sendAsUser(form, key, onProgress), patience, 'upload_retry');
        portfolio = saved;
        return data;
      } catch (error) {
        last = error;
        const { message, title, remediation, retryable, status, requestId, retryAfter } = error;
        const code = widgetCodes[error.code] ?? { 403: 'AUTHENTICATION', 429: 'RATE_LIMITED', 502: 'NETWORK', 503: 'NETWORK' }[status] ?? 'PARSE_ERROR';
        const again = retryable || status === 400 || status === 413 || status === 422; // another file, or another password
        throw Object.assign(new Error(message), { code, title, remediation, retryable: again, details: { status, requestId, retryAfter } });
      }
    },
    /** Returns the portfolio of the last upload. */
    saved: () => portfolio,
    /** Returns the error of the last upload, if that is why the widget ended. */
    failed: (error) => (error?.message === last?.message ? last : undefined),
  };
}
