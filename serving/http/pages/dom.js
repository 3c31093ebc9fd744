// Creates and finds elements. Text is always set as text, so that a product's name is never parsed as HTML.

export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const find = (selector) => document.querySelector(selector);

const NOTICE_MS = 5000;
let timer = 0;

/** Shows a notice for some seconds. Screen readers announce it. */
export function notify(text) {
  find("#notice").textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => (find("#notice").textContent = ""), NOTICE_MS);
}
