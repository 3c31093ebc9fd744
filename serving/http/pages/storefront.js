// The storefront: whom to look at, what they are shown, and what they would be shown with something in the cart.

import { ask, failed } from "./api.js";
import { place, show } from "./cards.js";
import { element, find, say } from "./dom.js";
import { product, trail } from "./product.js";
import { about, title } from "./shoppers.js";
import { status } from "./status.js";
import { count, date, name } from "./text.js";

const NOBODY = { cut: null, until: null, popular: [], shoppers: [] };
const GUEST = { kind: "guest", customer: "", bought: null };
const AGAIN = 15_000; // ms between looks at the status

const cart = new Map(); // cards by product
const liked = new Map(), dismissed = new Set(); // a guest's, whom the service can't know
let shopper = GUEST, then = false, told = NOBODY;

async function begin() {
  find("#toggles").addEventListener("change", front);
  find("#entry").addEventListener("submit", enter);
  find("#then").addEventListener("click", () => travel(true));
  find("#now").addEventListener("click", () => travel(false));
  addEventListener("hashchange", view);
  view();
  status();
  setInterval(() => document.hidden || status(), AGAIN);
  const [people, departments] = await Promise.all([ask("GET", "v1/shoppers"), ask("GET", "v1/categories")]);
  told = failed(people) ? NOBODY : people.answer;
  chips();
  if (!failed(departments)) options(departments.answer.items);
}

/** What the address names: a product, or the front. */
function view() {
  const way = trail();
  find("#front").hidden = way.length > 0;
  find("#product").hidden = way.length === 0;
  if (way.length) product(find("#product"), way, { add, inStock: find("[name=in_stock]").checked });
  else front();
}

function chips() {
  const all = [GUEST, ...told.shoppers];
  find("#shoppers").replaceChildren(...all.map((one) =>
    element("button", { type: "button", value: one.customer, onclick: () => choose(one) }, title(one))));
  press();
}

function press() {
  for (const chip of find("#shoppers").children) chip.setAttribute("aria-pressed", String(chip.value === shopper.customer));
}

function options(departments) {
  find("[name=category]").append(...departments.map(({ category, products }) =>
    element("option", { value: category }, `${category} (${products})`)));
}

function choose(one) {
  shopper = one;
  then = Boolean(one.bought);
  liked.clear();
  dismissed.clear();
  press();
  if (one.kind !== "named") find("#entry").reset();
  if (location.hash) location.hash = "";
  else front();
  say(`Shown: ${title(one)}`);
}

function enter(event) {
  event.preventDefault();
  const customer = find("#customer").value.trim();
  if (customer) choose({ kind: "named", customer, bought: null });
}

function travel(back) {
  then = back;
  front();
}

/** The three columns, the cart and what is said above them. */
function front() {
  find("#person").textContent = title(shopper);
  find("#about").textContent = about(shopper);
  clock();
  basket();
  if (then) asOfThen();
  else asOfNow();
}

function clock() {
  find("#time").hidden = !shopper.bought;
  if (told.cut) find("#then").textContent = `As of ${date(told.cut)}`;
  find("#then").setAttribute("aria-pressed", String(then));
  find("#now").setAttribute("aria-pressed", String(!then));
  for (const field of find("#toggles").elements) field.disabled = then;
}

/** What was foretold before the test window, beside what was bought in it. */
function asOfThen() {
  const bought = products(shopper.bought);
  const empty = "Nothing is kept of it.";
  column("for-you", `Recommended on ${date(told.cut)}, by a model that had seen nothing later`);
  column("popular", `Most bought lately on ${date(told.cut)}`);
  column("bought", `After ${date(told.cut)}, up to ${date(told.until)}`);
  place(list("for-you"), shopper.recommended, { empty, hits: bought, ticked: "bought afterwards" });
  place(list("popular"), told.popular, { empty, hits: bought, ticked: "bought afterwards" });
  place(list("bought"), shopper.bought, { empty, hits: products(shopper.recommended), ticked: "was recommended" });
  find("#summary").hidden = false;
  find("#summary").textContent = `Of ${shopper.recommended.length} recommended on ${date(told.cut)}, ` +
    `${hits(shopper.recommended, bought)} bought by ${date(told.until)}; of the ${told.popular.length} most popular, ` +
    `${told.popular.filter((card) => bought.has(card.product)).length}.`;
}

const products = (cards) => new Set(cards.map((card) => card.product));

function hits(cards, bought) {
  const found = cards.filter((card) => bought.has(card.product)).length;
  return `${found} ${found === 1 ? "was" : "were"}`;
}

function asOfNow() {
  const asked = Object.fromEntries(new FormData(find("#toggles")));
  const listing = { n: 10, in_stock: "in_stock" in asked, category: asked.category };
  const actions = { add, like, dismiss };
  find("#summary").hidden = true;
  column("for-you", wording());
  column("popular", "What many bought lately");
  show(list("for-you"), personal({ ...listing, lane: asked.lane, per_category: asked.per_category }), {
    empty: "Nothing fits. Ease what is to be shown.", actions, retry: front,
  });
  show(list("popular"), ask("GET", "v1/popular", listing), { empty: "Nothing was bought lately that fits.", actions, retry: front });
  afterwards();
}

/** A customer's answer; with a cart, or for a guest, what goes with that. */
function personal(listing) {
  const address = `v1/customers/${encodeURIComponent(shopper.customer)}/recommendations`;
  if (shopper.customer && !cart.size) return ask("GET", address, listing);
  const body = { cart: [...cart.keys()], ...listing };
  if (shopper.customer) body.customer = shopper.customer;
  if (liked.size) body.viewed = [...liked.keys()];
  if (dismissed.size) body.exclude = [...dismissed];
  for (const field of ["category", "per_category"]) if (!body[field]) delete body[field];
  if (body.per_category) body.per_category = Number(body.per_category);
  return ask("POST", "v1/cart/recommendations", {}, body);
}

function wording() {
  if (cart.size) return `With ${count(cart.size, "product")} in the cart`;
  if (shopper.customer) return "By what they bought";
  return liked.size ? `After a thumb up for ${[...liked.values()].map(name).join(" and ")}` : "Nothing is known yet, so what trends";
}

function afterwards() {
  if (shopper.bought) {
    column("bought", `After ${date(told.cut)}. Today's model has learned from these, so none is ticked.`);
    place(list("bought"), shopper.bought, { empty: "Nothing." });
    return;
  }
  const why = shopper.customer
    ? "Only the shoppers above have purchases that were kept from the model that is measured by them."
    : "A guest is nobody in particular. Choose a shopper to see what was bought after the recommendations.";
  column("bought", "");
  place(list("bought"), [], { empty: why });
}

const list = (id) => find(`#${id} .list`);
const column = (id, text) => (find(`#${id} > p`).textContent = text);

function basket() {
  const items = [...cart.values()].map((card) => element("li", {}, name(card),
    element("button", { type: "button", class: "quiet", "aria-label": `Remove ${name(card)} from the cart`, onclick: () => remove(card) }, "×")));
  find("#cart ul").replaceChildren(...items);
  find("#cart > p").hidden = items.length > 0;
}

function add(card) {
  cart.set(card.product, card);
  changed(`${name(card)} is in the cart`);
}

function remove(card) {
  cart.delete(card.product);
  changed(`${name(card)} is out of the cart`);
  find("#cart-title").focus();
}

function changed(text) {
  then = false;
  basket();
  if (!trail().length) front();
  say(text);
}

const like = (card) => shopper.customer ? send(card, "view", "goes with the taste from now on") : guest(() => liked.set(card.product, card), `More like ${name(card)}`);
const dismiss = (card) => shopper.customer ? send(card, "dismissed", "is shown to this customer no more") : guest(() => dismissed.add(card.product), `${name(card)} is shown no more`);

function guest(note, text) {
  note();
  front();
  say(text);
}

async function send(card, kind, text) {
  const asked = await ask("POST", "v1/events", {}, { customer: shopper.customer, product: card.product, kind });
  if (!failed(asked)) return guest(() => {}, `${name(card)} ${text}`);
  say(asked.status === 403 ? "This key may only look: events want one of the scope write." : asked.answer.error.message);
}

begin();
