/** Reports whether a mail provider has sent the browser here, in the window that the widget has opened. */
export function isInboxCallback() {
  const query = new URLSearchParams(location.search);
  return query.has('state') && (query.has('inbox_token') || query.has('error'));
}

/** Has the widget's script tell the page where it is open what the provider has answered. */
export async function reportInbox() {
  const { url, integrity } = await (await fetch('/connect/widget.json', { credentials: 'omit' })).json();
  await new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement('script'), { src: url, crossOrigin: 'anonymous', onload: resolve, onerror: reject });
    if (integrity) script.integrity = integrity;
    document.head.append(script);
  });
  globalThis.PortfolioConnect.handleInboxCallback(); // it closes this window
}
