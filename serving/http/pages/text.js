// Numbers, dates and reasons as text.

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const money = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en-GB");
const threeDigits = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 });

export const date = (text) => day.format(new Date(text));
export const dateRange = (first, last) => day.formatRange(new Date(first), new Date(last));
export const price = (value) => (value === null ? "no price" : money.format(value));
export const count = (value, singular, plural = `${singular}s`) => `${whole.format(value)} ${value === 1 ? singular : plural}`;
export const number = (value) => threeDigits.format(value);
export const percent = (share) => `${threeDigits.format(100 * share)}\u00a0%`;
export const name = (product) => product.name ?? `Product ${product.product}`;
export const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function period(seconds) {
  if (seconds < 90) return seconds < 55 ? `last ${Math.max(1, Math.round(seconds))} s` : "last minute";
  return seconds < 5400 ? `last ${Math.round(seconds / 60)} minutes` : `last ${Math.round(seconds / 3600)} hours`;
}

/** Why an item is recommended. */
export function reason(item) {
  const because = item.reason.because.map(name).join(" and ");
  switch (item.reason.kind) {
    case "repurchase":
      return "bought before";
    case "taste":
      return because ? `because of ${because}` : "matches this customer's taste";
    case "alike":
      return because ? `described like ${because}` : "new, and described like products that similar customers buy";
    case "bought-together":
      return "confidence" in item ? ruleMeasures(item) : `often in the same basket as ${because}`;
    default:
      return "trending";
  }
}

function ruleMeasures({ reason: { because }, confidence, lift, count: baskets }) {
  const others = because.length > 1 ? because.map(name).join(" and ") : "it";
  return `in ${percent(confidence)} of baskets with ${others}, lift ${number(lift)}, ${count(baskets, "basket")}`;
}
