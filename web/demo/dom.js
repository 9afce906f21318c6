/**
 * Making elements. Text goes in as text nodes only, so nothing that a statement
 * contains is ever read as markup.
 */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * @param {string} tag
 * @param {Record<string, any>} [props] attributes; "on" maps events to listeners
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function el(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/**
 * el for SVG.
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

/** Text of a statement, which may turn its own direction but not that of what is around it. */
export function said(/** @type {string} */ text) {
  return el('bdi', {}, text);
}

/**
 * The element with an id that index.html is known to have.
 * @param {string} id
 * @returns {any}
 */
export function at(id) {
  return document.getElementById(id);
}

/** Whether the element with this id is seen. */
export function show(/** @type {string} */ id, /** @type {boolean} */ on) {
  at(id).hidden = !on;
}
