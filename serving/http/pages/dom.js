// Elements from their parts; texts are set as text, so that no product's name is ever read as HTML.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const find = (selector) => document.querySelector(selector);

const STAYS = 5000; // ms
let saying = 0;

/** Says something to everybody, screen readers too. */
export function say(text) {
  find("#notice").textContent = text;
  clearTimeout(saying);
  saying = setTimeout(() => (find("#notice").textContent = ""), STAYS);
}
