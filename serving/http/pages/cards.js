// Lists of product cards, and what is shown instead of a list that is loading, empty or failed.

import { curl, failed } from "./api.js";
import { element } from "./dom.js";
import { drawing } from "./drawing.js";
import { capitalised, count, name, number, price, reason } from "./text.js";

const LOADING_DELAY = 150; // ms before a list is shown as loading

const ICONS = {
  like: "M7 11v9H4v-9Zm2 9h7.4a2 2 0 0 0 2-1.6l1.4-6A2 2 0 0 0 17.9 10H14V6a2 2 0 0 0-4 0l-1 4Z",
  dismiss: "M7 13V4H4v9Zm2-9h7.4a2 2 0 0 1 2 1.6l1.4 6a2 2 0 0 1-1.9 2.4H14v4a2 2 0 0 1-4 0l-1-4Z",
};

/** All items shown so far, by product id. A product page uses them before its own request is answered. */
export const shownItems = new Map();

/** Shows the items of a pending call in a container, unless newer items are shown in it before the call ends. */
export async function showPending(container, pending, { empty, actions = null, retry }) {
  const updateNumber = (container.updateNumber = (container.updateNumber ?? 0) + 1);
  const focused = [...container.querySelectorAll("a, button")].indexOf(document.activeElement);
  container.setAttribute("aria-busy", "true");
  const timer = setTimeout(() => container.updateNumber === updateNumber && container.replaceChildren(...skeletons()), LOADING_DELAY);
  const exchange = await pending;
  clearTimeout(timer);
  if (container.updateNumber !== updateNumber) return;
  container.removeAttribute("aria-busy");
  if (failed(exchange)) container.replaceChildren(errorMessage(exchange, retry), details(exchange));
  else container.replaceChildren(list(exchange.response.items, { empty, actions }), details(exchange));
  if (focused >= 0) container.querySelectorAll("a, button")[focused]?.focus();
}

/** Shows items that are already known in a container. */
export function showItems(container, items, options) {
  container.updateNumber = (container.updateNumber ?? 0) + 1;
  container.removeAttribute("aria-busy");
  container.replaceChildren(list(items, options));
}

function list(items, { empty, actions = null, hits = null, hitLabel = "" }) {
  if (!items.length) return element("p", { class: "empty" }, empty);
  const highest = Math.max(...items.map((item) => item.score ?? 0), 1e-9);
  return element("ol", { class: "cards" },
    ...items.map((item) => card(item, highest, actions, hits?.has(item.product) ? hitLabel : "")));
}

function card(item, highest, actions, hitLabel) {
  shownItems.set(item.product, item);
  return element("li", { class: hitLabel ? "card hit" : "card", "data-product": item.product },
    drawing(item.category),
    element("div", {},
      element("p", { class: "head" },
        element("a", { href: `#/p/${encodeURIComponent(item.product)}` }, name(item)),
        element("span", { class: "price" }, price(item.price))),
      element("p", { class: "faint" }, ...catalogueData(item)),
      "score" in item ? score(item, highest) : null,
      item.reason ? element("p", { class: "reason" }, reason(item)) : null,
      hitLabel ? element("p", { class: "ticked" }, `✓ ${hitLabel}`) : null,
      actions && buttons(item, actions)));
}

/** Category, brand and stock of an item, as children of an element. */
export function catalogueData(item) {
  const known = [item.category, item.brand].filter(Boolean).join(" · ");
  const stock = element("span", { class: item.in_stock ? "stock" : "stock out" }, item.in_stock ? "in stock" : "out of stock");
  return known ? [`${known} · `, stock] : [stock];
}

function score(item, highest) {
  const fill = element("span", {});
  fill.style.width = `${Math.max(0, Math.min(1, item.score / highest)) * 100}%`;
  return element("p", { class: "score" },
    element("span", { class: "bar", "aria-hidden": "true" }, fill),
    element("span", {}, element("span", { class: "hidden" }, "score "), number(item.score)));
}

function buttons(item, { add, like, dismiss }) {
  return element("p", { class: "actions" },
    element("button", { type: "button", class: "quiet", onclick: () => add(item), "aria-label": `Add ${name(item)} to the cart` }, "Add to cart"),
    thumb("like", `More like ${name(item)}`, () => like(item)),
    thumb("dismiss", `Never show ${name(item)} again`, () => dismiss(item)));
}

function thumb(kind, label, onclick) {
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  icon.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  icon.firstChild.setAttribute("d", ICONS[kind]);
  return element("button", { type: "button", class: "quiet thumb", "aria-label": label, title: label, onclick }, icon);
}

function skeletons() {
  return [element("p", { class: "hidden" }, "Loading"), ...Array.from({ length: 4 }, () => element("div", { class: "card skeleton", "aria-hidden": "true" }))];
}

function errorMessage({ response, status }, retry) {
  const message = response?.error?.message ?? "The service failed.";
  return element("div", { class: "wrong", role: "alert" },
    element("p", {}, status ? `${capitalised(message)} (${status})` : message),
    retry ? element("button", { type: "button", onclick: retry }, "Try again") : null);
}

/** A section to unfold: request, response, duration, and the curl command that sends the same request. */
function details(exchange) {
  const duration = `${exchange.ms.toFixed(1)} ms`, items = exchange.response?.items;
  const summary = [`${exchange.method} · ${exchange.status || "no answer"} · ${duration}`, items && count(items.length, "item")];
  return element("details", { class: "request" },
    element("summary", {}, "Request and response", element("span", { class: "faint" }, ` ${duration}`)),
    element("p", { class: "faint" }, summary.filter(Boolean).join(" · ")),
    code("Request", `${exchange.method} /${exchange.url}${exchange.body ? `\n${JSON.stringify(exchange.body, null, 1)}` : ""}`),
    code("curl", curl(exchange)),
    code("Response", JSON.stringify(exchange.response, null, 1)));
}

const code = (label, text) => element("div", {},
  element("p", { class: "label" }, label),
  element("pre", { tabindex: "0", role: "group", "aria-label": label }, text));
