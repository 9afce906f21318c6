/**
 * Keeps results that are not saved yet, for a later page of this browser. connect.js loads it with
 * the option keepUnsaved.
 *
 * A result is encrypted (AES-GCM) in IndexedDB, which takes statements of any size. With "session"
 * the key is in sessionStorage: it outlives a reload of this tab, and ends with the tab. With true
 * it is in IndexedDB, too, where no script can read it, and holds for all tabs and later visits. Whose the result
 * is, is part of the encryption: as another user it cannot be opened.
 */

const maxAge = 24 * 3600_000; // ms; the broker knows an idempotency key as long
const pollEvery = 2000; // ms
const pollFor = 75_000; // ms; the broker waits a minute for the parser
const sessionKey = 'casbroker-connect';

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const promise = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/**
 * @param {true | 'session'} mode
 * @param {string} scope where the results are to be saved: those for elsewhere are none of ours
 * @param {boolean} own whether the broker can be asked whose an access token is; else only a user who is named counts
 */
export function createKeep(mode, scope, own) {
  let opened;

  function open() {
    opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open('casbroker-connect', 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore('kept', { keyPath: 'id' });
        request.result.createObjectStore('keys');
      };
      request.onblocked = reject;
      promise(request).then(resolve, reject);
    });
    return opened;
  }

  /** Runs one request on a store. */
  async function on(store, method, ...args) {
    const transaction = (await open()).transaction(store, 'readwrite');
    const result = await promise(transaction.objectStore(store)[method](...args));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error); // such as a quota that is exceeded
    });
    return result;
  }

  /** Returns the key, which is made if it is missing. */
  async function key() {
    const algorithm = { name: 'AES-GCM', length: 256 };
    if (mode === 'session') {
      let text = sessionStorage.getItem(sessionKey);
      if (!text) {
        text = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
        sessionStorage.setItem(sessionKey, text);
      }
      return crypto.subtle.importKey('raw', Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), algorithm, false, ['encrypt', 'decrypt']);
    }
    const made = await crypto.subtle.generateKey(algorithm, false, ['encrypt', 'decrypt']);
    await on('keys', 'add', made, 'key').catch(() => {}); // there is one, perhaps of another tab
    return on('keys', 'get', 'key');
  }

  const algorithm = (iv, id, who) => ({ name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(JSON.stringify([id, scope, who])) });

  /** Keeps entry and its payload, if there is one yet, and reports whether it did. */
  async function put(entry, payload) {
    if (!entry.who && !(own && entry.grant)) return false;
    try {
      const record = { ...entry, who: undefined, scope };
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const text = new TextEncoder().encode(JSON.stringify(payload ?? null));
      record.iv = iv;
      record.sealed = await crypto.subtle.encrypt(algorithm(iv, entry.id, entry.who), await key(), text);
      await on('kept', 'put', record);
      return true;
    } catch {
      return false; // no secure context, no storage, or a full one: the page saves all the same
    }
  }

  const drop = (id) => on('kept', 'delete', id).catch(() => {});

  /** Runs f while no other tab is at the same entry. With ifAvailable it does not wait for that, but returns undefined. */
  function lock(id, ifAvailable, f) {
    return navigator.locks ? navigator.locks.request(`casbroker-connect-${id}`, { ifAvailable }, (got) => got && f()) : f();
  }

  /** Delivers the payload. It stays kept if that fails but may succeed later. */
  async function save(entry, payload, deliver, kept = true) {
    try {
      return await deliver(entry, payload);
    } catch (error) {
      const later = error.retryable || [401, 403, 404].includes(error.status) || error.code === 'other_user';
      if (!later) await drop(entry.id);
      error.kept = kept && later;
      throw error;
    }
  }

  /** Waits for what the broker saves of a call that the page did not see the end of. */
  async function arrival(entry, arrived) {
    for (const end = Date.now() + pollFor; ; await sleep(pollEvery)) {
      const portfolio = await arrived(entry);
      if (portfolio || !entry.pending || Date.now() > end) return portfolio;
    }
  }

  /** Opens what was sealed for who; undefined if it was not, or with another tab's key. */
  async function unseal({ id, iv, sealed }, who) {
    try {
      return { payload: JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt(algorithm(iv, id, who), await key(), sealed))) };
    } catch {
      return undefined;
    }
  }

  /** Delivers one record, and returns the portfolio if there is one. */
  async function resumeOne(record, who, deliver, arrived) {
    const opened = await unseal(record, who);
    if (!opened) return undefined;
    const entry = { ...record, who };
    try {
      const portfolio = await (opened.payload ? save(entry, opened.payload, deliver) : arrival(entry, arrived));
      await drop(record.id);
      return portfolio;
    } catch (error) {
      if (error.code === 'other_user') return undefined; // it stays for whose it is
      throw error;
    }
  }

  return {
    put,
    drop,
    async save(entry, payload, deliver) {
      const kept = await put(entry, payload);
      return lock(entry.id, false, () => save(entry, payload, deliver, kept));
    },
    /** Delivers everything of the present user that is kept here, and returns the last portfolio. It asks for the user only if something is kept. */
    async resume(present, deliver, arrived) {
      const records = [];
      for (const record of await on('kept', 'getAll').catch(() => [])) {
        if (Date.now() - record.at > maxAge) await drop(record.id);
        else if (record.scope === scope) records.push(record);
      }
      const who = records.length > 0 ? await present().catch(() => undefined) : undefined;
      if (who === undefined) return undefined; // nobody is signed in: it stays for whose it is
      let last;
      for (const record of records) last = (await lock(record.id, true, () => resumeOne(record, who, deliver, arrived))) || last;
      return last;
    },
    async clear() {
      try {
        sessionStorage.removeItem(sessionKey);
      } catch { /* the browser has none for this page */ }
      await on('kept', 'clear').catch(() => {});
      await on('keys', 'clear').catch(() => {});
    },
  };
}
