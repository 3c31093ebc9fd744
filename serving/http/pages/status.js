// The line that says which model serves, and how fast.

import { ask, failed } from "./api.js";
import { element, find } from "./dom.js";
import { count, days, number, span } from "./text.js";

const TONES = { PROMOTED: "good", FIRST: "good", REFUSED: "bad" };

export async function status() {
  const asked = await ask("GET", "v1/status");
  const open = find("#status details")?.open;
  find("#status").replaceChildren(...(failed(asked) ? wrong(asked.answer) : line(asked.answer)));
  if (open && find("#status details")) find("#status details").open = true;
}

function wrong({ error }) {
  return [element("span", { class: "wrong" }, error.code === "no_model" ? `No model is live yet. ${error.message}` : error.message)];
}

function line({ model, window, verdict, latency }) {
  return [
    element("span", {}, "Version ", element("strong", {}, model.version)),
    element("span", {}, `knows ${days(window.first_day, window.last_day)}`),
    judged(verdict),
    element("span", {}, ...speed(latency)),
  ];
}

function judged({ verdict, reasons = [] }) {
  if (!verdict) return element("span", { class: "faint" }, "no gate has judged it");
  const summary = element("summary", { class: TONES[verdict] ?? "warn" }, verdict.toLowerCase());
  return element("details", { class: "verdict" }, summary, element("ul", {}, ...reasons.map((reason) => element("li", {}, reason))));
}

function speed({ seconds, answers, p99_ms: p99 }) {
  if (p99 === null) return ["p99 – ", element("span", { class: "faint" }, `(nobody asked in the ${span(seconds)})`)];
  return ["p99 ", element("strong", {}, `${number(p99)} ms`), element("span", { class: "faint" }, ` (${count(answers, "answer")}, ${span(seconds)})`)];
}
