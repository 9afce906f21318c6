/**
 * Helpers to create and find elements. Text is inserted as text nodes only, so the
 * contents of a statement are never parsed as markup.
 */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * Creates an HTML element.
 * @param {string} tag
 * @param {Record<string, any>} [props] attributes; "on" maps events to listeners
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function el(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/**
 * Creates an SVG element.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...Child} children
 */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? '' : String(value));
    }
  }
  node.append(...children.filter(Boolean));
  return node;
}

/** Wraps text of a statement so that its direction (RTL overrides) does not affect the text around it. */
export function isolated(/** @type {string} */ text) {
  return el('bdi', {}, text);
}

/**
 * Returns the element with this id, which index.html has.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  return document.getElementById(id);
}

/** Shows or hides the element with this id. */
export function show(/** @type {string} */ id, /** @type {boolean} */ visible) {
  byId(id).hidden = !visible;
}
