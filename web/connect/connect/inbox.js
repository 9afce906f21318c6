/**
 * For the page at config.inbox.redirectUri, to which a mail provider sends the window that the
 * widget has opened. It need not be the page that is there otherwise: call it before anything else.
 */

/** Reports whether a mail provider has sent the browser here. */
export function isInboxCallback() {
  const query = new URLSearchParams(location.search);
  return query.has('state') && (query.has('inbox_token') || query.has('error'));
}

/** Has the widget's script tell the page where it is open what the provider has answered, and close this window. */
export async function reportInbox({ brokerUrl, nonce } = {}) {
  const place = new URL('connect/widget.json', brokerUrl === undefined ? new URL('../', import.meta.url) : `${brokerUrl.replace(/\/+$/, '')}/`);
  if (!globalThis.PortfolioConnect) {
    const { url, integrity } = await (await fetch(place, { credentials: 'omit' })).json();
    await new Promise((resolve, reject) => {
      const script = Object.assign(document.createElement('script'), { src: new URL(url, place), crossOrigin: 'anonymous', onload: resolve, onerror: reject });
      if (integrity) script.integrity = integrity;
      if (nonce) script.nonce = nonce;
      document.head.append(script);
    });
  }
  globalThis.PortfolioConnect.handleInboxCallback();
}
