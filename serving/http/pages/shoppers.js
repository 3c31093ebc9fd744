// The customers that the storefront can show: whom it shows first, and how it describes them.

import { count, date, percent } from "./text.js";

/** The anonymous visitor. */
export const GUEST = { kind: "guest", customer: "", bought: null };

const TITLES = {
  guest: () => "Guest",
  named: () => "Customer by id",
  once: () => "One order",
  loyal: ({ category }) => `Loyal to ${category}`,
  bulk: () => "Bulk buyer",
  returning: () => "Back after a pause",
};

export const title = (shopper) => (TITLES[shopper.kind] ?? (() => shopper.kind))(shopper);

/** The example customer whose recommendations differ most from the popular products; the guest if none differ. */
export function openingShopper({ shoppers, popular }) {
  const known = new Set(popular.map((card) => card.product));
  const personal = (shopper) => shopper.recommended.filter((card) => !known.has(card.product)).length;
  const best = shoppers.reduce((most, shopper) => (personal(shopper) > personal(most) ? shopper : most), shoppers[0]);
  return best && personal(best) > 0 ? best : GUEST;
}

/** What is known about a shopper. */
export function about(shopper) {
  if (shopper.kind === "guest") return "An anonymous visitor. Only the cart is known.";
  if (shopper.kind === "named") return "Looked up by the shop's own id, which the service replaces with a pseudonym as soon as it reads a request.";
  const purchases = `Bought on ${count(shopper.days, "day")} before the test window, ${count(shopper.units, "unit")} a day on average, most recently on ${date(shopper.last_day)}`;
  const category = shopper.category ? `; ${percent(shopper.share)} of the purchases are ${shopper.category}` : "";
  const planted = shopper.planted.length ? ` The demo shop simulates a preference for ${shopper.planted.join(" and ")}.` : "";
  return `${purchases}${category}.${planted} Known only by a pseudonym: ${shopper.customer.slice(10, 18)}…`;
}
