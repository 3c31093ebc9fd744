// The page of a product: its alternatives, and the products bought together with it.

import { call } from "./api.js";
import { catalogueData, showPending, shownItems } from "./cards.js";
import { drawing } from "./drawing.js";
import { element } from "./dom.js";
import { name, price } from "./text.js";

const LISTS = {
  similar: {
    title: "Alternatives",
    about: "Products that could replace it",
    reason: "too few customers bought it, and no product has a similar description",
  },
  "bought-together": {
    title: "Bought together",
    about: "In the same basket, more often than by chance",
    reason: "no product is in enough baskets with it",
  },
};
const PREFIX = "#/p/";

/** The product ids in the page's URL: those visited on the way, then the product that is shown. */
export function trail() {
  if (!location.hash.startsWith(PREFIX)) return [];
  return location.hash.slice(PREFIX.length).split("/").map(decodeURIComponent);
}

/** Shows the last product of a trail in a container. */
export function showProduct(container, ids, { add, inStock }) {
  const id = ids.at(-1), item = shownItems.get(id) ?? { product: id, name: null };
  const lists = Object.entries(LISTS).map(([route, texts]) => relatedList(id, ids, route, texts, inStock));
  container.replaceChildren(breadcrumbs(ids), header(item, add), element("div", { class: "columns two" }, ...lists.map(([section]) => section)));
  lists.forEach(([, load]) => load());
  container.querySelector("h2").focus();
}

function relatedList(id, ids, route, { title, about, reason }, inStock) {
  const empty = `Not enough data: ${reason}${inStock ? " (in stock only)" : ""}.`;
  const list = element("div", { class: "list" });
  const section = element("section", { "aria-label": title }, element("h3", {}, title), element("p", { class: "faint" }, about), list);
  const load = async () => {
    const pending = call("GET", `v1/products/${encodeURIComponent(id)}/${route}`, { n: 10, in_stock: inStock });
    await showPending(list, pending, { empty, retry: load });
    extendLinks(list, ids);
    showName(section.closest("#product"), (await pending).response?.product);
  };
  return [section, load];
}

/** Makes the links of a list extend the trail. A link to a product on the trail goes back to it. */
function extendLinks(list, ids) {
  for (const card of list.querySelectorAll("[data-product]")) {
    const index = ids.indexOf(card.dataset.product);
    card.querySelector("a").href = address(index < 0 ? [...ids, card.dataset.product] : ids.slice(0, index + 1));
  }
}

/** Replaces a product's id by its name, on a page that was opened by its URL. */
function showName(page, product) {
  if (!product || shownItems.has(product.product)) return;
  for (const node of page?.querySelectorAll("h2, [aria-current]") ?? []) node.textContent = name(product);
}

function breadcrumbs(ids) {
  const steps = ids.map((id, index) => [name(shownItems.get(id) ?? { product: id }), address(ids.slice(0, index + 1))]);
  const links = [["Storefront", "#"], ...steps].map(([text, href], index) =>
    element("li", {}, index === ids.length ? element("span", { "aria-current": "page" }, text) : element("a", { href }, text)));
  return element("nav", { "aria-label": "Breadcrumbs", class: "crumbs" }, element("ol", {}, ...links));
}

function header(item, add) {
  const data = "in_stock" in item ? element("p", { class: "faint" }, ...catalogueData(item), ` · ${price(item.price)}`) : null;
  return element("div", { class: "product" }, drawing(item.category),
    element("div", {}, element("h2", { tabindex: "-1" }, name(item)), data),
    element("button", { type: "button", onclick: () => add(item) }, "Add to cart"));
}

const address = (ids) => PREFIX + ids.map(encodeURIComponent).join("/");
