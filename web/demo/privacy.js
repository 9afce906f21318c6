/** What users may ask of the broker about themselves: all of it, or an end to it. */

import { confirmed } from './confirm.js';
import { at } from './dom.js';
import { keepFile, whileBusy } from './download.js';
import { notify } from './notice.js';
import { count } from './wording.js';

/** @typedef {import('./api.js').Broker} Broker */
/** @typedef {(error: Error, doing: string, action?: {label: string, run: () => void}) => void} Tell */

/**
 * Lets the buttons work.
 * @param {() => Broker} user who is signed in when one is pressed
 * @param {Tell} tell
 * @param {() => Promise<unknown>} onErased
 */
export function offerPrivacy(user, tell, onErased) {
  const take = () => whileBusy(at('export'), async () => {
    try {
      keepFile(await user().exportMe());
      notify({ kind: 'good', title: 'Your data is downloaded', text: 'One file with your statements as they came, and what was recorded.' });
    } catch (error) {
      tell(error, 'Your data was not exported', { label: 'Try again', run: take });
    }
  });
  const erase = async () => {
    const text = 'All your statements and the records of your access tokens are deleted for good. Export your data first if you want to keep it.';
    if (!(await confirmed('Erase all your data?', text, 'Erase'))) return;
    await whileBusy(at('erase'), async () => {
      try {
        const { erased } = await user().eraseMe();
        notify({
          kind: 'good', title: 'Your data is erased',
          text: `${count(erased.portfolios, 'statement')} and ${count(erased.grants, 'token record')} are gone.`,
        });
        await onErased();
      } catch (error) {
        tell(error, 'Your data was not erased', { label: 'Try again', run: erase });
      }
    });
  };
  at('export').addEventListener('click', take);
  at('erase').addEventListener('click', erase);
}
