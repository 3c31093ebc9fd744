"""A client that checks every response against the OpenAPI document."""

from typing import Any

import httpx
from clients import Client
from jsonschema import Draft202012Validator
from starlette.applications import Starlette

from serving.http import openapi
from serving.http.routes import ROUTES
from serving.observe.masking import route_template

DOCUMENT = openapi.document(ROUTES)


def validate(schema: dict[str, Any], value: Any) -> None:
    """Fails if a value doesn't match a schema of the document."""
    with_components = schema | {"components": DOCUMENT["components"]}
    Draft202012Validator(with_components).validate(value)


def response_schema(operation: dict[str, Any], status: int) -> dict[str, Any]:
    """Returns the schema of an operation's response with a status; fails if the document has none."""
    response = operation["responses"][str(status)]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema: dict[str, Any] = response["content"]["application/json"]["schema"]
    return schema


class DocumentedClient(Client):
    """Fails if a route answers with a status or in a shape that is not documented."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(app)
        self.routes = app.routes

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        response = super().request(method, path, **options)
        scope = {"type": "http", "method": method, "path": httpx.URL(path).path}
        operation = DOCUMENT["paths"].get(route_template(self.routes, scope), {}).get(method.lower())
        if operation:
            validate(response_schema(operation, response.status_code), response.json())
        return response
