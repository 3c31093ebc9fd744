// Calls the service, and records each exchange for the page: request, response and duration.

export async function call(method, path, query = {}, body = null) {
  const parameters = Object.entries(query).filter(([, value]) => value !== "" && value !== null);
  const url = path + (parameters.length ? "?" + new URLSearchParams(parameters) : "");
  const started = performance.now();
  const exchange = { method, url, body, status: 0, ms: 0, response: null };
  try {
    const response = await fetch(url, {
      method,
      body: body && JSON.stringify(body),
      headers: body ? { "Content-Type": "application/json" } : {},
    });
    exchange.status = response.status;
    exchange.response = await response.json();
  } catch {
    exchange.response = { error: { code: "no_answer", message: "The service does not answer. Is it still running?" } };
  }
  exchange.ms = performance.now() - started;
  if (exchange.status === 401) location.assign("sign-in");
  return exchange;
}

export const failed = (exchange) => exchange.status !== 200;

/** The curl command that sends the same request. */
export function curl({ method, url, body }) {
  const key = document.querySelector("#sign-out") ? " -H 'Authorization: Bearer KEY'" : "";
  const verb = method === "GET" || method === "POST" ? "" : ` -X ${method}`;
  const data = body ? ` -H 'Content-Type: application/json' -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'` : "";
  return `curl${key}${verb} '${new URL(url, location.href).href.replaceAll("'", "%27")}'${data}`;
}
