"""The documentation page of the routes."""

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
    """Returns the page: a table of routes; for each, its parameters, an example and its status codes."""
    about = f'<p>{escape(document["info"]["description"])} <a href="v1/openapi.json">OpenAPI document</a></p>'
    rows = "".join(map(_row, operations(document)))
    sections = "".join(map(_section, operations(document)))
    body = f'<main id="content" class="docs"><h1>The routes</h1>{about}<table>{rows}</table>{sections}</main>'
    return page("Nightshelf: the routes", body)


def operations(document: Json) -> list[tuple[str, str, Json]]:
    """Returns method, path and OpenAPI operation of each route of a document."""
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def request_fields(operation: Json) -> Json:
    """Returns the schemas of an operation's parameters, in the URL or the body, by name."""
    in_url = {field["name"]: field["schema"] for field in operation["parameters"]}
    body = operation.get("requestBody")
    return in_url | (_json_content(body)["schema"].get("properties", {}) if body else {})


def example_request(method: str, path: str, operation: Json) -> tuple[str, str, Any]:
    """Returns an example request of an operation: method, URL, and body, None if it has no body."""
    parameters = [parameter for parameter in operation["parameters"] if "example" in parameter]
    query = {}
    for parameter in parameters:
        name, value = parameter["name"], parameter["example"]
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
        else:
            query[name] = json.dumps(value) if isinstance(value, bool) else value
    body = operation.get("requestBody")
    return (
        method,
        path + (f"?{urlencode(query, doseq=True)}" if query else ""),
        body and _json_content(body)["example"],
    )


def _row(route: tuple[str, str, Json]) -> str:
    method, path, operation = route
    link = f'<a href="#{operation["operationId"]}"><code>{escape(path)}</code></a>'
    return f"<tr><td>{method}<td>{link}<td>{_html(operation['summary'])}"


def _section(route: tuple[str, str, Json]) -> str:
    method, path, operation = route
    parameters = "".join(_parameter(name, schema) for name, schema in request_fields(operation).items())
    statuses = "".join(
        f"<tr><td>{status}<td>{_html(ERROR_DESCRIPTIONS.get(int(status), 'success'))}"
        for status in operation["responses"]
    )
    example = json.dumps(
        _json_content(operation["responses"]["200"])["example"], ensure_ascii=False, indent=2
    )
    return (
        f'<section id="{operation["operationId"]}"><h2><code>{method} {escape(path)}</code></h2>'
        f"<p>{_html(operation['summary'])} {_html(operation['description'])}</p>"
        f"<table>{parameters}</table>{_code('curl', _curl(*example_request(method, path, operation)))}"
        f"{_code('Response', example)}<table>{statuses}</table></section>"
    )


def _code(label: str, text: str) -> str:
    """Returns preformatted text that can be scrolled with the keyboard."""
    return f'<pre tabindex="0" role="group" aria-label="{label}">{escape(text)}</pre>'


def _parameter(name: str, schema: Json) -> str:
    options = [option.get("type", "") for option in schema.get("anyOf", [schema])]
    types = [name for option in options for name in (option if isinstance(option, list) else [option])]
    choice = f": {', '.join(map(str, schema['enum']))}" if "enum" in schema else ""
    default = f", default {json.dumps(schema['default'])}" if schema.get("default") is not None else ""
    text = " or ".join(name for name in types if name != "null") + choice + default
    return f"<tr><td><code>{name}</code><td>{escape(text)}<td>{escape(schema.get('description', ''))}"


def _curl(method: str, address: str, body: Any) -> str:
    sent = json.dumps(body, ensure_ascii=False)
    data = f" -H 'Content-Type: application/json' -d '{sent}'" if body is not None else ""
    verb = f" -X {method}" if method != "GET" else ""
    return f"curl -H 'Authorization: Bearer KEY'{verb} 'http://127.0.0.1:3000{address}'{data}"


def _html(text: str) -> str:
    """Returns a sentence as HTML; text in backticks becomes <code>."""
    return CODE.sub(r"<code>\1</code>", escape(text, quote=False))


def _json_content(message: Json) -> Json:
    media: Json = message["content"]["application/json"]
    return media
