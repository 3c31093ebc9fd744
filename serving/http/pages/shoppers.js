// Whom the storefront shows, in words.

import { count, date, percent } from "./text.js";

const TITLES = {
  guest: () => "Guest",
  named: () => "One customer",
  once: () => "One order",
  loyal: ({ category }) => `Loyal to ${category}`,
  bulk: () => "Bulk buyer",
  returning: () => "Back after a pause",
};

export const title = (shopper) => (TITLES[shopper.kind] ?? (() => shopper.kind))(shopper);

/** What was known of somebody. */
export function about(shopper) {
  if (shopper.kind === "guest") return "Nothing is known of a guest but the cart.";
  if (shopper.kind === "named") return "By the shop's own id, which is turned into a pseudonym before anything else sees it.";
  const bought = `Bought on ${count(shopper.days, "day")} before the test, ${count(shopper.units, "unit")} at a time, the last on ${date(shopper.last_day)}`;
  const mostly = shopper.category ? `; ${percent(shopper.share)} of it ${shopper.category}` : "";
  const planted = shopper.planted.length ? ` The demo shop planted a taste for ${shopper.planted.join(" and ")}.` : "";
  return `${bought}${mostly}.${planted} Known by a pseudonym alone: ${shopper.customer.slice(10, 18)}…`;
}
