/** The user's own data: export and erase. */

import { confirmed } from './confirm.js';
import { byId } from './dom.js';
import { saveFile, whileBusy } from './download.js';
import { notify } from './notice.js';
import { count } from './format.js';

/** @typedef {import('./api.js').Broker} Broker */
/** @typedef {(error: Error, title: string, action?: {label: string, run: () => void}) => void} ShowError */

/**
 * Adds the listeners of the buttons.
 * @param {() => Broker} session returns the current session
 * @param {ShowError} showError
 * @param {() => Promise<unknown>} onErased
 */
export function initPrivacy(session, showError, onErased) {
  const download = () => whileBusy(byId('export'), async () => {
    try {
      saveFile(await session().exportMe());
      notify({ kind: 'good', title: 'Your data was downloaded', text: 'The file has your original statements and the audit records about you.' });
    } catch (error) {
      showError(error, 'Your data was not exported', { label: 'Try again', run: download });
    }
  });
  const erase = async () => {
    const text = 'This permanently deletes all your statements and the records of your access tokens. Export your data first if you want to keep it.';
    if (!(await confirmed('Erase all your data?', text, 'Erase'))) return;
    await whileBusy(byId('erase'), async () => {
      try {
        const { erased } = await session().eraseMe();
        notify({
          kind: 'good', title: 'Your data was erased',
          text: `${count(erased.portfolios, 'statement')} and ${count(erased.grants, 'token record')} were deleted.`,
        });
        await onErased();
      } catch (error) {
        showError(error, 'Your data was not erased', { label: 'Try again', run: erase });
      }
    });
  };
  byId('export').addEventListener('click', download);
  byId('erase').addEventListener('click', erase);
}
