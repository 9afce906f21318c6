/** A page that uses connect.js with care; compiled only. */

import { type Code, ConnectError, createConnect, type Result, type Texts } from '../connect.js';

declare function show(text: string, retryIn?: number): void;
declare function session(o: { fresh: boolean }): Promise<string>;

const texts: Partial<Texts> = { network: { title: 'Offline' }, no_tokens_on_sundays: { title: 'Closed' }, reopened: 'Welcome back' };

export const connect = createConnect({
  brokerUrl: 'https://broker.example', getUserToken: session, language: 'hi', texts, keepUnsaved: 'session',
  widget: { nonce: 'r4nd0m' }, token: { mode: 'gateway', features: ['parse', 'fetch'] },
});

export async function importStatement(signal: AbortSignal): Promise<string | undefined> {
  const result: Result = await connect.open({ config: { enableCdslFetch: true, prefill: { pan: 'ABCDE1234F' } }, signal });
  switch (result.status) {
    case 'saved':
      return result.portfolio.id;
    case 'error': {
      const { code, title, remediation, retryable, retryAfter }: ConnectError = result.error;
      const known: Code[] = ['subject_blocked', 'rate_limited'];
      if (known.some((c) => c === code)) show(title);
      show(`${title}. ${remediation}`, retryable ? retryAfter : undefined);
      return undefined;
    }
    case 'closed':
    case 'parsed':
      return undefined;
  }
}

connect.on('event', ({ name, event }) => console.log(name, event))();
connect.resume().then((result) => result?.status === 'saved' && show(result.portfolio.total_value));

// @ts-expect-error there is no such language
createConnect({ language: 'fr' });
// @ts-expect-error a portfolio is there only if it is saved
connect.open().then((result) => result.portfolio);
