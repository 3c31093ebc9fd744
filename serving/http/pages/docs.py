"""The page that tells how each route is asked."""

import json
import re
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse

from serving.http.openapi import ERROR_DESCRIPTIONS
from serving.http.pages.frame import page

Json = dict[str, Any]

CODE = re.compile("`([^`]+)`")


def render(document: Json) -> HTMLResponse:
    """Every route in one table, then each with its parameters, an example and what it answers."""
    about = f'<p>{escape(document["info"]["description"])} <a href="v1/openapi.json">OpenAPI document</a></p>'
    rows = "".join(map(_row, operations(document)))
    sections = "".join(map(_section, operations(document)))
    body = f'<main id="content" class="docs"><h1>The routes</h1>{about}<table>{rows}</table>{sections}</main>'
    return page("Nightshelf: the routes", body)


def operations(document: Json) -> list[tuple[str, str, Json]]:
    """Method, path and description of each operation of a document."""
    return [
        (method.upper(), path, told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]


def request_fields(operation: Json) -> Json:
    """The schemas of what an operation is asked, in the URL or the body, by name."""
    in_url = {one["name"]: one["schema"] for one in operation["parameters"]}
    body = operation.get("requestBody")
    return in_url | (_json_content(body)["schema"].get("properties", {}) if body else {})


def example_request(method: str, path: str, operation: Json) -> tuple[str, str, Any]:
    """The example of an operation: method, address and body (None where it has none)."""
    given = {one["name"]: one for one in operation["parameters"] if "example" in one}
    query = {}
    for name, one in given.items():
        if one["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(str(one["example"]), safe=""))
        else:
            query[name] = json.dumps(value) if isinstance(value := one["example"], bool) else value
    body = operation.get("requestBody")
    return (
        method,
        path + (f"?{urlencode(query, doseq=True)}" if query else ""),
        body and _json_content(body)["example"],
    )


def _row(operation: tuple[str, str, Json]) -> str:
    method, path, told = operation
    link = f'<a href="#{told["operationId"]}"><code>{escape(path)}</code></a>'
    return f"<tr><td>{method}<td>{link}<td>{_html(told['summary'])}"


def _section(operation: tuple[str, str, Json]) -> str:
    method, path, told = operation
    parameters = "".join(_parameter(name, schema) for name, schema in request_fields(told).items())
    answers = "".join(
        f"<tr><td>{status}<td>{_html(ERROR_DESCRIPTIONS.get(int(status), 'the answer'))}"
        for status in told["responses"]
    )
    answer = json.dumps(_json_content(told["responses"]["200"])["example"], ensure_ascii=False, indent=2)
    return (
        f'<section id="{told["operationId"]}"><h2><code>{method} {escape(path)}</code></h2>'
        f"<p>{_html(told['summary'])} {_html(told['description'])}</p>"
        f"<table>{parameters}</table>{_code('curl', _curl(*example_request(method, path, told)))}"
        f"{_code('Answer', answer)}<table>{answers}</table></section>"
    )


def _code(label: str, text: str) -> str:
    """A text as it is, which a keyboard can scroll."""
    return f'<pre tabindex="0" role="group" aria-label="{label}">{escape(text)}</pre>'


def _parameter(name: str, schema: Json) -> str:
    types = [part.get("type", "") for part in schema.get("anyOf", [schema])]
    kinds = [kind for one in types for kind in (one if isinstance(one, list) else [one])]
    choice = f": {', '.join(map(str, schema['enum']))}" if "enum" in schema else ""
    default = f", else {json.dumps(schema['default'])}" if schema.get("default") is not None else ""
    told = " or ".join(kind for kind in kinds if kind != "null") + choice + default
    return f"<tr><td><code>{name}</code><td>{escape(told)}<td>{escape(schema.get('description', ''))}"


def _curl(method: str, address: str, body: Any) -> str:
    data = f" -d '{json.dumps(body, ensure_ascii=False)}'" if body is not None else ""
    verb = f" -X {method}" if method != "GET" else ""
    return f"curl -H 'Authorization: Bearer KEY'{verb} 'http://127.0.0.1:3000{address}'{data}"


def _html(said: str) -> str:
    """A sentence in HTML, with its code as code."""
    return CODE.sub(r"<code>\1</code>", escape(said, quote=False))


def _json_content(told: Json) -> Json:
    media: Json = told["content"]["application/json"]
    return media
