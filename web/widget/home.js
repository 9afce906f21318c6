/** The first step: a file to upload, and the other ways to import. */

import { cdsl } from './cdsl.js';
import { el, icon, passwordField } from './dom.js';
import { generator } from './generator.js';
import { checkFile, importDocument } from './importing.js';
import { inbox } from './inbox.js';
import { forward } from './mail.js';
import { issuerList } from './options.js';
import { portals, shortcuts } from './links.js';

/** @typedef {import('./dialog.js').Dialog} Dialog */

const ways = [
  { mode: 'cdsl_fetch', enabled: 'enableCdslFetch', step: cdsl, title: 'Get it from CDSL', detail: 'With a code sent to your mobile',
    icon: 'M8 2h8a2 2 0 0 1 2 2v16a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zM11 18h2' },
  { mode: 'generator', enabled: 'enableGenerator', step: generator, title: 'Request it by email', detail: 'All mutual funds, from CAMS and KFintech',
    icon: 'M3 6h18v13H3zM3 7l9 7 9-7' },
  { mode: 'inbox', enabled: 'enableInbox', step: inbox, title: 'Find it in your mailbox', detail: 'Gmail, Outlook or Zoho',
    icon: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM21 21l-5.5-5.5' },
  { mode: 'inbound_email', enabled: 'enableInboundEmail', step: forward, title: 'Forward the email', detail: 'To an address made for you',
    icon: 'M14 5l7 7-7 7M21 12H9a6 6 0 0 0-6 6v1' },
];

/**
 * Returns the first step.
 * @param {Dialog} session
 * @returns {import('./dialog.js').Step}
 */
export function home(session) {
  const { config } = session;
  const upload = new Upload(session);
  const others = ways.filter(({ enabled }) => config[enabled]);
  const back = () => home(session);
  const choose = ({ mode, step }) => {
    session.emit('MODE_SWITCHED', { mode });
    session.go(step(session, { back }));
  };
  return {
    name: 'home',
    title: config.title,
    subtitle: config.subtitle,
    body: [
      el('p', { id: 'intro' }, `Add your Consolidated Account Statement, the PDF that ${issuerList(config.allowedTypes)} sends you by email.`),
      upload.drop, upload.password.node,
      others.length ? el('h3', {}, 'No PDF at hand?') : undefined,
      others.length ? el('ul', { class: config.homeLayout === 'grid' ? 'ways grid' : 'ways' }, ...others.map((way) =>
        el('li', {}, el('button', { type: 'button', testid: `way-${way.mode}`, on: { click: () => choose(way) } },
          icon(way.icon), el('span', {}, el('strong', {}, way.title), el('small', {}, way.detail)))))) : undefined,
      config.showShortcuts ? shortcuts() : undefined,
      config.showPortalLinks ? portals(session) : undefined,
    ],
    focus: upload.input,
    action: 'Import statement',
    busy: 'Sending the statement…',
    start: (signal) => upload.acceptDrops(signal),
    check: () => upload.missing(),
    run: (signal) => upload.send(signal),
    inputOf: ({ code }) => (code === 'INVALID_PASSWORD' ? upload.password.input : upload.file ? undefined : upload.input),
  };
}

/** The file to upload, and its password. */
class Upload {
  /** @type {File | undefined} */
  file;

  constructor(/** @type {Dialog} */ session) {
    this.session = session;
    this.input = el('input', {
      type: 'file', id: 'file', testid: 'file', accept: 'application/pdf,.pdf', 'aria-describedby': 'file-detail',
      on: { change: (event) => this.choose(event.target.files[0]) },
    });
    this.label = el('strong', {}, 'Choose a PDF');
    this.detail = el('span', { id: 'file-detail', testid: 'picked' }, 'or drop it here, up to 10 MB');
    this.drop = el('div', { class: 'drop' }, this.input, el('label', { for: 'file' },
      icon('M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8zM14 3v5h5M12 18v-6m-2.5 2.5L12 12l2.5 2.5'),
      el('span', {}, this.label, ' ', this.detail)));
    this.password = passwordField(session.config.prefill.pan?.toUpperCase());
  }

  acceptDrops(/** @type {AbortSignal} */ signal) {
    const setOver = (on) => (event) => {
      event.preventDefault();
      this.drop.classList.toggle('over', on && !this.input.disabled);
    };
    const { dialog } = this.session;
    dialog.addEventListener('dragover', setOver(true), { signal });
    dialog.addEventListener('dragleave', setOver(false), { signal });
    dialog.addEventListener('drop', (event) => {
      setOver(false)(event);
      if (!this.input.disabled) this.choose(event.dataTransfer?.files[0]);
    }, { signal });
  }

  async choose(/** @type {File | undefined} */ file) {
    if (!file) return;
    const error = await checkFile(file);
    if (error) {
      this.session.emit('FILE_REJECTED', { filename: file.name, size: file.size });
      this.session.fail(error);
      return;
    }
    this.file = file;
    this.session.clear();
    this.label.textContent = file.name;
    this.detail.textContent = `${sizeText(file.size)} · choose another`;
    this.drop.classList.add('filled');
    this.session.emit('FILE_SELECTED', { filename: file.name, size: file.size });
    this.password.input.focus();
  }

  missing() {
    const { input } = this.password;
    if (!this.file) return { title: 'Choose your statement first', message: 'It is the PDF you received by email.', input: this.input };
    if (input.value === '') return { title: 'Enter the statement’s password', message: 'Usually your PAN in capitals.', input };
    return undefined;
  }

  async send(/** @type {AbortSignal} */ signal) {
    const file = /** @type {File} */ (this.file);
    const input = { kind: /** @type {const} */ ('file'), file, filename: file.name, source: /** @type {const} */ ('UPLOAD') };
    await importDocument(this.session, input, this.password.input.value, 'upload', signal);
  }
}

function sizeText(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1000))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
