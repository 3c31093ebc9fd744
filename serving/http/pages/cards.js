// Lists of cards, and what stands in their place while they load, where there are none, or where asking failed.

import { curl, failed } from "./api.js";
import { element } from "./dom.js";
import { drawing } from "./drawing.js";
import { count, name, number, price, reason } from "./text.js";

const PATIENCE = 150; // ms before a list that loads is shown as loading

const ICONS = {
  like: "M7 11v9H4v-9Zm2 9h7.4a2 2 0 0 0 2-1.6l1.4-6A2 2 0 0 0 17.9 10H14V6a2 2 0 0 0-4 0l-1 4Z",
  dismiss: "M7 13V4H4v9Zm2-9h7.4a2 2 0 0 1 2 1.6l1.4 6a2 2 0 0 1-1.9 2.4H14v4a2 2 0 0 1-4 0l-1-4Z",
};

/** All cards that were shown, by product: what a page of a product is begun with. */
export const seen = new Map();

/** Shows a list in a place once it is there; a later one in the same place takes its turn. */
export async function show(place, coming, { empty, actions = null, retry }) {
  const turn = (place.turn = (place.turn ?? 0) + 1);
  const focused = [...place.querySelectorAll("a, button")].indexOf(document.activeElement);
  place.setAttribute("aria-busy", "true");
  const waiting = setTimeout(() => place.turn === turn && place.replaceChildren(...skeletons()), PATIENCE);
  const asked = await coming;
  clearTimeout(waiting);
  if (place.turn !== turn) return;
  place.removeAttribute("aria-busy");
  if (failed(asked)) place.replaceChildren(fault(asked, retry), request(asked));
  else place.replaceChildren(list(asked.answer.items, { empty, actions }), request(asked));
  if (focused >= 0) place.querySelectorAll("a, button")[focused]?.focus();
}

/** Shows what is known already. */
export function place(where, items, options) {
  where.turn = (where.turn ?? 0) + 1;
  where.removeAttribute("aria-busy");
  where.replaceChildren(list(items, options));
}

function list(items, { empty, actions = null, hits = null, ticked = "" }) {
  if (!items.length) return element("p", { class: "empty" }, empty);
  const most = Math.max(...items.map((item) => item.score ?? 0), 1e-9);
  return element("ol", { class: "cards" }, ...items.map((item) => card(item, most, actions, hits?.has(item.product) ? ticked : "")));
}

function card(item, most, actions, ticked) {
  seen.set(item.product, item);
  return element("li", { class: ticked ? "card hit" : "card", "data-product": item.product },
    drawing(item.category),
    element("div", {},
      element("p", { class: "head" },
        element("a", { href: `#/p/${encodeURIComponent(item.product)}` }, name(item)),
        element("span", { class: "price" }, price(item.price))),
      element("p", { class: "faint" }, ...about(item)),
      "score" in item ? score(item, most) : null,
      item.reason ? element("p", { class: "reason" }, reason(item)) : null,
      ticked ? element("p", { class: "ticked" }, `✓ ${ticked}`) : null,
      actions && buttons(item, actions)));
}

export function about(item) {
  const known = [item.category, item.brand].filter(Boolean).join(" · ");
  const stock = element("span", { class: item.in_stock ? "stock" : "stock out" }, item.in_stock ? "in stock" : "out of stock");
  return known ? [`${known} · `, stock] : [stock];
}

function score(item, most) {
  const fill = element("span", {});
  fill.style.width = `${Math.max(0, Math.min(1, item.score / most)) * 100}%`;
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

function fault({ answer, status }, retry) {
  const told = answer?.error?.message ?? "The service failed.";
  return element("div", { class: "wrong", role: "alert" },
    element("p", {}, status ? `${sentence(told)} (${status})` : told),
    retry ? element("button", { type: "button", onclick: retry }, "Try again") : null);
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** The fold-out: what was asked and answered, in how many ms, and how to ask it in a terminal. */
function request(asked) {
  const items = asked.answer?.items;
  const told = [`${asked.method} · ${asked.status || "no answer"} · ${asked.ms.toFixed(1)} ms`, items && count(items.length, "item")];
  return element("details", { class: "request" },
    element("summary", {}, "Request and answer", element("span", { class: "faint" }, ` ${asked.ms.toFixed(1)} ms`)),
    element("p", { class: "faint" }, told.filter(Boolean).join(" · ")),
    code("Request", `${asked.method} /${asked.address}${asked.body ? `\n${JSON.stringify(asked.body, null, 1)}` : ""}`),
    code("In a terminal", curl(asked)),
    code("Answer", JSON.stringify(asked.answer, null, 1)));
}

const code = (label, text) => element("div", {},
  element("p", { class: "label" }, label),
  element("pre", { tabindex: "0", role: "group", "aria-label": label }, text));
