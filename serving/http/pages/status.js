// The status line: the served model, the gate's verdict on it, and recent latency.

import { call, failed } from "./api.js";
import { element, find } from "./dom.js";
import { capitalised, count, dateRange, number, period } from "./text.js";

const TONES = { PROMOTED: "good", FIRST: "good", REFUSED: "bad" };

export async function showStatus() {
  const exchange = await call("GET", "v1/status");
  const isOpen = find("#status details")?.open;
  find("#status").replaceChildren(...(failed(exchange) ? errorLine(exchange.response) : statusLine(exchange.response)));
  if (isOpen && find("#status details")) find("#status details").open = true;
}

const errorLine = ({ error }) => [element("span", { class: "wrong" }, capitalised(error.message))];

function statusLine({ model, window, verdict, latency }) {
  return [
    element("span", {}, "Version ", element("strong", {}, model.version)),
    element("span", {}, `trained on ${dateRange(window.first_day, window.last_day)}`),
    gateVerdict(verdict),
    element("span", {}, ...speed(latency)),
  ];
}

function gateVerdict({ verdict, reasons = [] }) {
  if (!verdict) return element("span", { class: "faint" }, "not checked by the gate");
  const summary = element("summary", { class: TONES[verdict] ?? "warn" }, verdict.toLowerCase());
  return element("details", { class: "verdict" }, summary, element("ul", {}, ...reasons.map((reason) => element("li", {}, reason))));
}

function speed({ seconds, answers, p99_ms: p99 }) {
  if (p99 === null) return ["p99 – ", element("span", { class: "faint" }, `(no requests in the ${period(seconds)})`)];
  return ["p99 ", element("strong", {}, `${number(p99)} ms`), element("span", { class: "faint" }, ` (${count(answers, "answer")}, ${period(seconds)})`)];
}
