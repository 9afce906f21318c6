/** A widget without a dialog, of the shape that a test asks for, that really calls the API. */

export const pdf = (source) => new Blob([`%PDF-1.4\n% ${source}\n%%EOF\n`], { type: 'application/pdf' });

/** Sends a statement as the widget does, and returns what open() resolves to. */
export async function parse({ apiBaseUrl, accessToken, onEvent }, source = 'cdsl', password = 'ABCDE1234F') {
  const form = new FormData();
  form.append('pdf_file', pdf(source), 'Asha Example ABCDE1234F.pdf');
  form.append('password', password);
  onEvent?.('FILE_SELECTED', { filename: 'Asha Example ABCDE1234F.pdf', size: 3 });
  onEvent?.('UPLOAD_STARTED', { filename: 'Asha Example ABCDE1234F.pdf' });
  let response, data;
  try {
    response = await fetch(`${apiBaseUrl}/v4/smart/parse`, { method: 'POST', body: form, headers: { 'x-api-key': accessToken } });
    data = await response.json();
  } catch {
    return failed('NETWORK', true);
  }
  if (response.ok) return { status: 'success', data, metadata: { filename: 'statement.pdf', parser_type: 'CDSL' } };
  if (response.status === 401 || response.status === 403) return failed('AUTHENTICATION', false);
  return failed(/password/i.test(data.msg) ? 'INVALID_PASSWORD' : 'PARSE_ERROR', true);
}

export const failed = (code, retryable) => ({ status: 'error', error: { code, title: 'T', message: 'M', remediation: 'R', retryable, details: {} } });

/** Installs a widget whose open() is script, and returns the options of each call. */
export function install(script, name = 'PortfolioConnect') {
  const calls = [];
  delete globalThis.PortfolioConnect;
  delete globalThis.CASParserConnect;
  globalThis[name] = {
    open(options) {
      calls.push(options);
      return script(options, calls.length);
    },
  };
  return calls;
}
