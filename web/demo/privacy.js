/** The user's own data: export, sign out everywhere, erase. */

import { confirmed, notify } from './notice.js';
import { byId } from './dom.js';
import { saveFile, whileBusy } from './download.js';
import { count } from './format.js';

/**
 * Adds the listeners of the buttons.
 * @param {() => import('./home.js').Home} page returns the page of the signed-in user
 * @param {() => void} signOut ends the session of this tab
 */
export function initPrivacy(page, signOut) {
  /** Runs the action of a button; title says what has failed if it does. */
  const run = (id, title, action) => whileBusy(byId(id), async () => {
    try {
      await action();
    } catch (error) {
      page().fail(error, title, () => run(id, title, action));
    }
  });

  byId('export').addEventListener('click', () => run('export', 'Your data was not exported', async () => {
    saveFile(await page().broker.exportMe());
    notify({ kind: 'good', title: 'Your data was downloaded', text: 'The file has your original statements and the audit records about you.' });
  }));

  byId('revoke').addEventListener('click', async () => {
    const text = 'Imports that are open in other tabs or on other devices end with their next step. Statements stay.';
    if (!(await confirmed('Sign out everywhere?', text, 'Sign out'))) return;
    await run('revoke', 'You were not signed out', async () => {
      await page().broker.revoke();
      signOut();
      notify({ kind: 'good', title: 'Signed out everywhere', text: 'Sign in again to go on.' });
    });
  });

  byId('erase').addEventListener('click', async () => {
    const text = 'This permanently deletes all your statements and the records of your access tokens. Export your data first if you want to keep it.';
    if (!(await confirmed('Erase all your data?', text, 'Erase'))) return;
    await run('erase', 'Your data was not erased', async () => {
      const { erased } = await page().broker.eraseMe();
      await page().refresh();
      notify({ kind: 'good', title: 'Your data was erased', text: `${count(erased.portfolios, 'statement')} and ${count(erased.grants, 'token record')} were deleted.` });
    });
  });
}
