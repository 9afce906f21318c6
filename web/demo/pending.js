/**
 * Imports through the gateway that this page began and did not see the end of, since it
 * was closed. The statement arrives without the page; localStorage tells the next visit to
 * look for it. Only the id of the user's newest statement is stored, and the time.
 */

const maxAge = 10 * 60_000; // ms; a parse ends long before
const lookEvery = 2000; // ms
const lookFor = 75_000; // ms; the broker waits a minute for the parser

const keyOf = (/** @type {string} */ user) => `demo-import-${user}`;

/**
 * Remembers that user sends a statement.
 * @param {string} user
 * @param {string} newest id of the newest statement before; '' for none
 */
export function remember(user, newest) {
  localStorage.setItem(keyOf(user), JSON.stringify({ newest, at: Date.now() }));
}

/** Forgets the import of user: the page knows how it ended. */
export function forget(/** @type {string} */ user) {
  localStorage.removeItem(keyOf(user));
}

/** Whether the end of an import of user is not known. */
export function isPending(/** @type {string} */ user) {
  const text = localStorage.getItem(keyOf(user));
  if (!text) return false;
  if (Date.now() - JSON.parse(text).at < maxAge) return true;
  forget(user);
  return false;
}

/**
 * Looks for the statement of the pending import of user until it is there, or the broker
 * has given up waiting for the parser.
 * @param {string} user
 * @param {() => Promise<string | undefined>} newest returns the id of the newest statement; '' for none, undefined when the session has ended
 * @returns {Promise<string>} its id; '' if it did not arrive
 */
export async function arrival(user, newest) {
  const { newest: before, at } = JSON.parse(localStorage.getItem(keyOf(user)));
  const end = Math.min(at + maxAge, Date.now() + lookFor);
  while (isPending(user)) {
    const id = await newest();
    if (id === undefined) return '';
    if (id !== '' && id !== before) {
      forget(user);
      return id;
    }
    if (Date.now() >= end) break;
    await new Promise((resolve) => setTimeout(resolve, lookEvery));
  }
  forget(user);
  return '';
}
