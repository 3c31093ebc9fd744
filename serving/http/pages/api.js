// One question to the service, with what is to be shown of it: request, answer, milliseconds.

export async function ask(method, path, query = {}, body = null) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null);
  const address = path + (given.length ? "?" + new URLSearchParams(given) : "");
  const started = performance.now();
  const asked = { method, address, body, status: 0, ms: 0, answer: null };
  try {
    const response = await fetch(address, {
      method,
      body: body && JSON.stringify(body),
      headers: body ? { "Content-Type": "application/json" } : {},
    });
    asked.status = response.status;
    asked.answer = await response.json();
  } catch {
    asked.answer = { error: { code: "no_answer", message: "The service gives no answer. Is it still running?" } };
  }
  asked.ms = performance.now() - started;
  if (asked.status === 401) location.assign("sign-in");
  return asked;
}

export const failed = (asked) => asked.status !== 200;

/** What asks the same in a terminal. */
export function curl({ method, address, body }) {
  const key = document.querySelector("#sign-out") ? " -H 'Authorization: Bearer KEY'" : "";
  const verb = method === "GET" || method === "POST" ? "" : ` -X ${method}`;
  const data = body ? ` -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'` : "";
  return `curl${key}${verb} '${new URL(address, location.href).href.replaceAll("'", "%27")}'${data}`;
}
