// The storefront: a customer's recommendations, the popular products, and what the customer bought afterwards.

import { call, failed } from "./api.js";
import { showItems, showPending } from "./cards.js";
import { element, find, notify } from "./dom.js";
import { showProduct, trail } from "./product.js";
import { GUEST, about, openingShopper, title } from "./shoppers.js";
import { showStatus } from "./status.js";
import { count, date, name } from "./text.js";

const NO_EXAMPLES = { cut: null, until: null, popular: [], shoppers: [] };
const STATUS_INTERVAL = 15_000; // ms

const cart = new Map(); // items by product id
const liked = new Map(), dismissed = new Set(); // by a guest, about whom the service stores nothing
let examples = NO_EXAMPLES; // the example customers, with the cut and the end of their test window
let shopper = null; // the shopper whose lists are shown; null until the example customers are loaded
let isPast = false; // whether the lists are those of the cut, not today's

async function start() {
  find("#toggles").addEventListener("change", showFront);
  find("#entry").addEventListener("submit", enterCustomer);
  find("#then").addEventListener("click", () => showDay(true));
  find("#now").addEventListener("click", () => showDay(false));
  addEventListener("hashchange", showView);
  showView();
  showStatus();
  setInterval(() => document.hidden || showStatus(), STATUS_INTERVAL);
  const categories = call("GET", "v1/categories");
  const shoppers = await call("GET", "v1/shoppers");
  if (!failed(shoppers)) examples = shoppers.response;
  showChips();
  if (!shopper) open(openingShopper(examples));
  if (!failed(await categories)) showCategories((await categories).response.items);
}

/** Shows what the URL names: a product, or the storefront. */
function showView() {
  const ids = trail();
  find("#front").hidden = ids.length > 0;
  find("#product").hidden = ids.length === 0;
  if (ids.length) showProduct(find("#product"), ids, { add, inStock: find("[name=in_stock]").checked });
  else showFront();
}

function showChips() {
  find("#shoppers").replaceChildren(...[GUEST, ...examples.shoppers].map((example) =>
    element("button", { type: "button", value: example.customer, onclick: () => choose(example) }, title(example))));
  markChip();
}

function markChip() {
  for (const chip of find("#shoppers").children) chip.setAttribute("aria-pressed", String(chip.value === shopper?.customer));
}

function showCategories(categories) {
  find("[name=category]").append(...categories.map(({ category, products }) =>
    element("option", { value: category }, `${category} (${products})`)));
}

/** Shows the lists of a shopper. */
function open(chosen) {
  shopper = chosen;
  isPast = Boolean(shopper.bought);
  markChip();
  if (!trail().length) showFront();
}

function choose(chosen) {
  liked.clear();
  dismissed.clear();
  if (chosen.kind !== "named") find("#entry").reset();
  open(chosen);
  if (location.hash) location.hash = "";
  notify(`Showing: ${title(chosen)}`);
}

function enterCustomer(event) {
  event.preventDefault();
  const customer = find("#customer").value.trim();
  if (customer) choose({ kind: "named", customer, bought: null });
}

function showDay(past) {
  isPast = past;
  showFront();
}

/** Shows the shopper, the cart and the three columns. */
function showFront() {
  showCart();
  if (!shopper) return;
  find("#person").textContent = title(shopper);
  find("#about").textContent = about(shopper);
  showDaySwitch();
  if (isPast) showPast();
  else showToday();
}

function showDaySwitch() {
  find("#time").hidden = !shopper.bought;
  if (examples.cut) find("#then").textContent = `As of ${date(examples.cut)}`;
  find("#then").setAttribute("aria-pressed", String(isPast));
  find("#now").setAttribute("aria-pressed", String(!isPast));
  for (const field of find("#toggles").elements) field.disabled = isPast;
}

/** Shows what was recommended at the cut, beside what the customer bought in the test window after it. */
function showPast() {
  const { cut, until, popular } = examples, { recommended, bought } = shopper;
  const wasBought = productIds(bought), empty = "No products.";
  describe("for-you", `Recommended on ${date(cut)}, by a model without any later data`);
  describe("popular", `Most popular on ${date(cut)}`);
  describe("bought", `Bought after ${date(cut)}, until ${date(until)}`);
  showItems(list("for-you"), recommended, { empty, hits: wasBought, hitLabel: "bought afterwards" });
  showItems(list("popular"), popular, { empty, hits: wasBought, hitLabel: "bought afterwards" });
  showItems(list("bought"), bought, { empty, hits: productIds(recommended), hitLabel: "was recommended" });
  find("#summary").hidden = false;
  find("#summary").textContent = `Of the ${count(recommended.length, "product")} recommended on ${date(cut)}, ` +
    `the customer bought ${hits(recommended, wasBought)} by ${date(until)}; ` +
    `of the ${count(popular.length, "most popular product")}, ${hits(popular, wasBought)}.`;
}

const productIds = (items) => new Set(items.map((item) => item.product));
const hits = (items, bought) => items.filter((item) => bought.has(item.product)).length;

function showToday() {
  const fields = Object.fromEntries(new FormData(find("#toggles")));
  const filters = { n: 10, in_stock: "in_stock" in fields, category: fields.category };
  const actions = { add, like, dismiss };
  find("#summary").hidden = true;
  describe("for-you", basis());
  describe("popular", "Bought by many customers recently");
  showPending(list("for-you"), recommendations({ ...filters, lane: fields.lane, per_category: fields.per_category }), {
    empty: "No product matches the filters.", actions, retry: showFront,
  });
  showPending(list("popular"), call("GET", "v1/popular", filters), {
    empty: "No product with recent purchases matches the filters.", actions, retry: showFront,
  });
  showBought();
}

/** Calls the cart route for a guest or a filled cart, the customer's own route otherwise. */
function recommendations(filters) {
  const path = `v1/customers/${encodeURIComponent(shopper.customer)}/recommendations`;
  if (shopper.customer && !cart.size) return call("GET", path, filters);
  const body = { cart: [...cart.keys()], ...filters };
  if (shopper.customer) body.customer = shopper.customer;
  if (liked.size) body.viewed = [...liked.keys()];
  if (dismissed.size) body.exclude = [...dismissed];
  for (const field of ["category", "per_category"]) if (!body[field]) delete body[field];
  if (body.per_category) body.per_category = Number(body.per_category);
  return call("POST", "v1/cart/recommendations", {}, body);
}

/** What today's recommendations are based on. */
function basis() {
  if (cart.size) return `Based on ${count(cart.size, "product")} in the cart`;
  if (shopper.customer) return "Based on the customer's purchases and events";
  if (liked.size) return `Based on a thumb up for ${[...liked.values()].map(name).join(" and ")}`;
  return "Nothing is known about a guest, so these are the trending products";
}

function showBought() {
  if (shopper.bought) {
    describe("bought", `Bought after ${date(examples.cut)}. Today's model was trained on these purchases, so none is marked.`);
    showItems(list("bought"), shopper.bought, { empty: "No products." });
    return;
  }
  const empty = shopper.customer
    ? "Shown only for the example customers above, whose latest purchases were withheld from the tested model."
    : "A guest has no purchases. Choose an example customer to compare recommendations with later purchases.";
  describe("bought", "");
  showItems(list("bought"), [], { empty });
}

const list = (id) => find(`#${id} .list`);
const describe = (id, text) => (find(`#${id} > p`).textContent = text);

function showCart() {
  const items = [...cart.values()].map((item) => element("li", {}, name(item),
    element("button", { type: "button", class: "quiet", "aria-label": `Remove ${name(item)} from the cart`, onclick: () => remove(item) }, "×")));
  find("#cart ul").replaceChildren(...items);
  find("#cart > p").hidden = items.length > 0;
}

function add(item) {
  cart.set(item.product, item);
  update(`${name(item)} added to the cart`);
}

function remove(item) {
  cart.delete(item.product);
  update(`${name(item)} removed from the cart`);
  find("#cart-title").focus();
}

/** Shows today's lists after a change of the cart. */
function update(text) {
  isPast = false;
  showCart();
  if (!trail().length) showFront();
  notify(text);
}

function like(item) {
  if (shopper.customer) return sendEvent(item, "view", `${name(item)} counts towards the customer's taste from now on`);
  liked.set(item.product, item);
  refresh(`Showing more like ${name(item)}`);
}

function dismiss(item) {
  if (shopper.customer) return sendEvent(item, "dismissed", `${name(item)} is no longer shown to this customer`);
  dismissed.add(item.product);
  refresh(`${name(item)} is no longer shown`);
}

function refresh(text) {
  showFront();
  notify(text);
}

async function sendEvent(item, kind, text) {
  const exchange = await call("POST", "v1/events", {}, { customer: shopper.customer, product: item.product, kind });
  if (!failed(exchange)) return refresh(text);
  notify(exchange.status === 403 ? "This API key can only read. To send events, sign in with a key of scope write." : exchange.response.error.message);
}

start();
