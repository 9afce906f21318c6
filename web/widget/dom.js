/** Makes elements without markup text, which a page's Trusted Types policy may forbid. */

/**
 * Makes an element. Attributes that are undefined, null or false are left out; "on" has
 * listeners by event, "testid" is data-testid.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | undefined | false)} children
 * @returns {any}
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  const { on = {}, testid, ...rest } = attributes;
  if (testid) node.dataset.testid = testid;
  for (const [name, value] of Object.entries(rest)) {
    if (value === true) node.setAttribute(name, '');
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value);
  }
  for (const [event, listener] of Object.entries(on)) node.addEventListener(event, listener);
  for (const child of children) if (child) node.append(child);
  return node;
}

/** Makes a picture of lines that assistive technology skips. */
export function icon(/** @type {string} */ path, size = 24) {
  const namespace = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(namespace, 'svg');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS(namespace, 'path');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}

/**
 * Makes an input with its label and, if given, a hint. name is its id and data-testid.
 * @param {{name: string, label: string, hint?: string, [attribute: string]: any}} options
 * @returns {{node: HTMLElement, input: HTMLInputElement}}
 */
export function field({ name, label, hint, ...attributes }) {
  const input = el('input', {
    id: name, testid: name, type: 'text', autocapitalize: 'off', autocorrect: 'off', spellcheck: 'false',
    'aria-describedby': hint && `${name}-hint`, ...attributes,
    on: { input: () => input.removeAttribute('aria-invalid') },
  });
  const node = el('div', { class: 'field' },
    el('label', { for: name }, label), input, hint && el('p', { id: `${name}-hint`, class: 'hint' }, hint));
  return { node, input };
}

/**
 * Makes the field for a statement's password, with a button that shows it.
 * @param {string} [value]
 * @param {{label?: string, hint?: string}} [texts]
 */
export function passwordField(value = '', texts = {}) {
  const { node, input } = field({
    name: 'password', type: 'password', autocomplete: 'off', maxlength: 128,
    label: texts.label ?? 'Statement password',
    hint: texts.hint ?? 'Usually your PAN in capitals, or the password you chose when you requested the statement.',
  });
  input.value = value;
  const reveal = el('button', { type: 'button', id: 'reveal', testid: 'reveal', 'aria-pressed': 'false', 'aria-label': 'Show the password', on: {
    click: () => {
      const shown = input.type === 'password';
      input.type = shown ? 'text' : 'password';
      reveal.textContent = shown ? 'Hide' : 'Show';
      reveal.setAttribute('aria-pressed', String(shown));
    },
  } }, 'Show');
  const row = el('div', { class: 'row' });
  input.replaceWith(row);
  row.append(input, reveal);
  return { node, input };
}
