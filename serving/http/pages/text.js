// Numbers, days and reasons as a person says them.

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const money = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en-GB");
const few = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 });

export const date = (text) => day.format(new Date(text));
export const days = (first, last) => day.formatRange(new Date(first), new Date(last));
export const price = (value) => (value === null ? "no price" : money.format(value));
export const count = (value, one, many = `${one}s`) => `${whole.format(value)} ${value === 1 ? one : many}`;
export const number = (value) => few.format(value);
export const percent = (share) => `${few.format(100 * share)} %`;
export const name = (product) => product.name ?? `Product ${product.product}`;

export function span(seconds) {
  if (seconds < 90) return seconds < 55 ? `last ${Math.max(1, Math.round(seconds))} s` : "last minute";
  return seconds < 5400 ? `last ${Math.round(seconds / 60)} minutes` : `last ${Math.round(seconds / 3600)} hours`;
}

/** Why an item is recommended. */
export function reason(item) {
  const others = item.reason.because.map(name).join(" and ");
  switch (item.reason.kind) {
    case "repurchase":
      return "bought before";
    case "taste":
      return others ? `because of ${others}` : "to this customer's taste";
    case "alike":
      return others ? `described like ${others}` : "described like what such customers buy";
    case "bought-together":
      return "confidence" in item ? measures(item) : `often in one basket with ${others}`;
    default:
      return "many bought it lately";
  }
}

function measures({ reason: { because }, confidence, lift, count: seen }) {
  const times = seen === 1 ? "once" : `${whole.format(seen)} times`;
  const others = because.length > 1 ? because.map(name).join(" and ") : "it";
  return `in ${percent(confidence)} of baskets with ${others}, lift ${number(lift)}, seen ${times}`;
}
