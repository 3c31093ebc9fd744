// A product's page: what could take its place, and what goes with it, on and on.

import { ask } from "./api.js";
import { about, seen, show } from "./cards.js";
import { drawing } from "./drawing.js";
import { element } from "./dom.js";
import { name, price } from "./text.js";

const LISTS = {
  similar: ["Alternatives", "Could take its place", "hardly anybody has bought it, and nothing is described like it"],
  "bought-together": ["Goes with it", "In one basket with it, more often than chance has it", "nothing was in one basket with it often enough to tell"],
};
const ROOT = "#/p/";

/** The products on the way to the one that the address names, which is the last. */
export function trail() {
  if (!location.hash.startsWith(ROOT)) return [];
  return location.hash.slice(ROOT.length).split("/").map(decodeURIComponent);
}

export function product(where, way, { add, inStock }) {
  const id = way.at(-1), known = seen.get(id) ?? { product: id, name: null };
  const lists = Object.entries(LISTS).map(([route, words]) => listing(id, way, route, words, inStock));
  where.replaceChildren(crumbs(way), head(known, add), element("div", { class: "columns two" }, ...lists.map(([section]) => section)));
  lists.forEach(([, fill]) => fill());
  where.querySelector("h2").focus();
}

function listing(id, way, route, [title, about, why], inStock) {
  const empty = `Not enough data: ${why}${inStock ? ", of what is in stock" : ""}.`;
  const list = element("div", { class: "list" });
  const section = element("section", { "aria-label": title }, element("h3", {}, title), element("p", { class: "faint" }, about), list);
  const fill = async () => {
    const coming = ask("GET", `v1/products/${encodeURIComponent(id)}/${route}`, { n: 10, in_stock: inStock });
    await show(list, coming, { empty, retry: fill });
    deepen(list, way);
    named(section.closest("#product"), (await coming).answer?.product);
  };
  return [section, fill];
}

/** Makes the links of a list go on from here; one that was on the way goes back there. */
function deepen(list, way) {
  for (const card of list.querySelectorAll("[data-product]")) {
    const at = way.indexOf(card.dataset.product);
    card.querySelector("a").href = address(at < 0 ? [...way, card.dataset.product] : way.slice(0, at + 1));
  }
}

/** Puts a product's name in place of its id, where the page was opened by its address. */
function named(page, found) {
  if (!found || seen.has(found.product)) return;
  for (const text of page?.querySelectorAll("h2, [aria-current]") ?? []) text.textContent = name(found);
}

function crumbs(way) {
  const steps = way.map((id, at) => [name(seen.get(id) ?? { product: id }), address(way.slice(0, at + 1))]);
  const links = [["Storefront", "#"], ...steps].map(([text, href], at) =>
    element("li", {}, at === way.length ? element("span", { "aria-current": "page" }, text) : element("a", { href }, text)));
  return element("nav", { "aria-label": "Way here", class: "crumbs" }, element("ol", {}, ...links));
}

function head(known, add) {
  const told = "in_stock" in known ? element("p", { class: "faint" }, ...about(known), ` · ${price(known.price)}`) : null;
  return element("div", { class: "product" }, drawing(known.category),
    element("div", {}, element("h2", { tabindex: "-1" }, name(known)), told),
    element("button", { type: "button", onclick: () => add(known) }, "Add to cart"));
}

const address = (way) => ROOT + way.map(encodeURIComponent).join("/");
