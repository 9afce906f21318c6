/** The elements that stay while the dialog goes from step to step. */

import { el, icon } from './dom.js';
import { styleSheet, themeSheet } from './style.js';

/**
 * Makes the dialog, in a shadow root, so that the page's styles do not apply.
 * @param {ReturnType<typeof import('./options.js').complete>} config
 */
export function makeFrame({ title, logoUrl, theme, hideFooter }) {
  const part = (/** @type {string} */ id, /** @type {string} */ tag, attributes = {}, ...children) =>
    el(tag, { id, testid: id, ...attributes }, ...children);
  const parts = {
    back: part('back', 'button', { type: 'button', class: 'icon', 'aria-label': 'Back', hidden: true }, icon('M12 4 6 10l6 6', 20)),
    title: part('title', 'h2', { tabindex: -1, 'aria-live': 'polite' }, title),
    close: part('close', 'button', { type: 'button', class: 'icon', 'aria-label': 'Close' }, icon('m5 5 10 10M15 5 5 15', 20)),
    subtitle: part('subtitle', 'p'),
    body: part('body', 'div'),
    error: part('error', 'div', { role: 'alert', tabindex: -1, hidden: true }, el('strong'), ' ', el('span'), el('small')),
    progress: part('progress', 'progress', { max: 100, 'aria-label': 'Import', hidden: true }),
    status: part('status', 'p', { role: 'status', tabindex: -1 }),
    cancel: part('cancel', 'button', { type: 'button' }, 'Cancel'),
    submit: part('parse', 'button', { type: 'submit', class: 'primary' }),
  };
  const logo = logoUrl && el('img', { id: 'logo', src: logoUrl, alt: '', width: 32, height: 32, on: { error: () => logo.remove() } });
  const form = el('form', { novalidate: true },
    el('div', { class: 'head' }, parts.back, logo, parts.title, parts.close),
    parts.subtitle, parts.body, parts.error, parts.progress, parts.status,
    el('div', { class: 'foot' }, parts.cancel, parts.submit),
    !hideFooter && el('p', { class: 'by' }, 'A stand-in for CAS Parser’s widget.'));
  const mode = typeof theme === 'string' ? theme : theme?.mode;
  const dialog = el('dialog', { 'aria-labelledby': 'title', testid: 'widget-dialog', 'data-theme': mode ?? 'auto' }, form);
  const host = el('div', { testid: 'widget' });
  const root = host.attachShadow({ mode: 'open' });
  root.adoptedStyleSheets = [styleSheet, themeSheet(theme)];
  root.append(dialog);
  return { host, dialog, form, ...parts };
}
