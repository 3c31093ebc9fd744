"""Asks an application in this process, and holds every answer to the OpenAPI document."""

from typing import Any

import httpx
from clients import Client
from jsonschema import Draft202012Validator
from starlette.applications import Starlette

from serving.http import openapi
from serving.http.routes import ROUTES
from serving.observe.masking import template_of

DOCUMENT = openapi.document(ROUTES)


def check(schema: dict[str, Any], value: Any) -> None:
    """Fails where a value isn't of a schema of the document."""
    whole = schema | {"components": DOCUMENT["components"]}
    Draft202012Validator(whole).validate(value)


def response_schema(operation: dict[str, Any], status: int) -> dict[str, Any]:
    """The schema of an operation's answers with a status; fails where the document has none."""
    told = operation["responses"][str(status)]
    if "$ref" in told:
        told = DOCUMENT["components"]["responses"][told["$ref"].rpartition("/")[2]]
    schema: dict[str, Any] = told["content"]["application/json"]["schema"]
    return schema


class Documented(Client):
    """Fails where a route answers with a status or in a shape that the document doesn't tell of."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(app)
        self.routes = app.routes

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        response = super().request(method, path, **options)
        scope = {"type": "http", "method": method, "path": httpx.URL(path).path}
        operation = DOCUMENT["paths"].get(template_of(self.routes, scope), {}).get(method.lower())
        if operation:
            check(response_schema(operation, response.status_code), response.json())
        return response
