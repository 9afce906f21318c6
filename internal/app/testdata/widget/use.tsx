// How an app uses the widget, as the vendor's documents have it. Lines that must not compile
// say so.

import type { Options, Result, SubmitInput, WidgetError } from './portfolio-connect';
import PortfolioConnectButton, { PortfolioConnect as Widget, usePortfolioConnect } from './react';

const options: Options = {
  accessToken: 'at_1',
  apiBaseUrl: 'https://broker.example/gateway',
  config: {
    enableGenerator: true, enableCdslFetch: true, enableInbox: true, enableInboundEmail: true,
    allowedTypes: ['CDSL', 'CAMS_KFINTECH'],
    prefill: { pan: 'ZZZPV0000A', email: 'a@b.example', phone: '9', boId: '1', dob: '1990-01-15' },
    theme: { mode: 'dark', primary: '#000', primaryHover: '#111', primaryForeground: '#fff', accent: 'red', radius: 8, fontFamily: 'serif' },
    title: 'T', subtitle: 'S', logoUrl: '/l.svg', homeLayout: 'grid', showShortcuts: true, showPortalLinks: true,
    generator: { fromDate: '2020-01-01', toDate: '2026-01-01', password: 'p' },
    inbox: { redirectUri: 'https://app.example/back', casTypes: ['cdsl'], startDate: '2026-01-01', endDate: '2026-02-01' },
    inboundEmail: { callbackUrl: 'https://app.example/in', existingId: 'ie_1', email: 'x@y.example', allowedSources: ['nsdl'], reference: 'r', metadata: { a: 'b' }, pollIntervalMs: 3000, sessionTimeoutMs: 1_800_000 },
    successBehavior: 'summary', successAutoCloseMs: 1000, successCta: { label: 'Go on' }, hideFooter: true,
  },
  onSuccess: (data, metadata) => console.log(data.summary.total_value, metadata.filename, metadata.source),
  onError: ({ code, message, title, remediation, retryable, details }: WidgetError) => console.log(code, message, title, remediation, retryable, details.requestId),
  onOpen: () => {},
  onExit: () => {},
  onEvent: (event, metadata) => event === 'CDSL_OTP_SENT' && console.log(metadata),
  onSubmit: async (input: SubmitInput, password, onProgress) => {
    onProgress?.(50);
    return input.kind === 'file' ? { file: input.file, password } : { url: input.pdfUrl, from: input.metadata };
  },
};

export async function run(): Promise<string> {
  const result: Result = await window.PortfolioConnect!.open(options);
  const handle = PortfolioConnect.create({ ...options, apiKey: 'sk_demo' });
  await handle.open();
  handle.destroy();
  if (PortfolioConnect.isInboxCallbackPage()) PortfolioConnect.handleInboxCallback();
  if (result.status === 'success') return PortfolioConnect.extractPortfolioSummary(result.data).investorName ?? '';
  return result.status === 'error' ? result.error.code : result.status;
}

export function Page() {
  const { open, isReady } = usePortfolioConnect(options);
  return (
    <>
      <button onClick={open} disabled={!isReady}>Import</button>
      <Widget {...options}>{({ open: start, isOpen }) => <button onClick={() => start()}>{isOpen ? '…' : 'Import'}</button>}</Widget>
      <PortfolioConnectButton accessToken="at_1">{() => null}</PortfolioConnectButton>
    </>
  );
}

// @ts-expect-error an unknown code
export const code: WidgetError['code'] = 'TOKEN_EXPIRED';
// @ts-expect-error inbox needs a redirectUri
export const inbox: Options = { accessToken: 'at_1', config: { inbox: {} } };
// @ts-expect-error not a way to end
export const end: Options = { accessToken: 'at_1', config: { successBehavior: 'stay' } };
