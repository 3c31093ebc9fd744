"""The OpenAPI document, built from the route table, the request models and the endpoints."""

import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, get_type_hints

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from serving.access.keys import required_scope
from serving.http.operation import Operation
from serving.http.shapes import Refusal
from serving.observe.masking import display_path

Json = dict[str, Any]

SCHEMA_PREFIX = "#/components/schemas/"
BODY_METHODS = ("POST", "PUT", "PATCH")
DESCRIPTION = (
    "Recommendations for web shops. Every response names the version of the model that answered, also in the "
    "header Nightshelf-Model-Version. Unknown parameters are rejected."
)

ERROR_DESCRIPTIONS = {
    400: "a parameter or the body is invalid; `field` names it",
    401: "the API key is missing or unknown",
    403: "the API key lacks the required scope",
    404: "the catalogue has no product of this id, or the service has no secret of this profile",
    408: "the body arrived too slowly",
    413: "the body is too large",
    415: "the body isn't JSON by its Content-Type",
    422: "the body is no order of the shop; `field` names what is missing",
    429: "too many requests or events with this API key; retry after the number of seconds in Retry-After",
    500: "the service failed; its log names the error",
    503: "no model is live yet, the store of changes is unavailable or full, or the worker is busy",
}
ERROR_HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}},
}

SHOPS_BODY: Json = {  # of a webhook, as the shop's own documentation describes it
    "required": True,
    "content": {
        "application/json": {"schema": {"type": "object"}, "example": {"id": 727, "status": "processing"}}
    },
}


def document(routes: Sequence[Operation]) -> Json:
    """Returns the OpenAPI 3.1 document of the routes, examples included."""
    schemas, definitions = _schemas(routes)
    paths: dict[str, Json] = {}
    for row in routes:
        request = _dereferenced(schemas[_operation_id(row), "validation"], definitions)
        response = schemas[_operation_id(row), "serialization"]
        operation = _operation(row, request, response, definitions)
        paths.setdefault(display_path(row.path), {})[row.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Nightshelf", "version": _version(), "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": {str(status): _error_response(status) for status in ERROR_DESCRIPTIONS},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def example(schema: Json, definitions: Json) -> Any:
    """Returns an example value of a schema, built from the examples and defaults in it."""
    schema = _dereferenced(schema, definitions)
    if "examples" in schema:
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], definitions)
    if "items" in schema:
        return [example(schema["items"], definitions)]
    if schema.get("type") == "object":
        return {name: example(field, definitions) for name, field in schema.get("properties", {}).items()}
    return schema.get("enum", ["text"])[0]


def _schemas(routes: Sequence[Operation]) -> tuple[dict[Any, Json], Json]:
    """Returns the schemas of requests and responses, by operation id and mode, and their definitions."""
    adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        *((_operation_id(row), "validation", TypeAdapter(row.request)) for row in routes),
        *((_operation_id(row), "serialization", TypeAdapter(_response_shape(row))) for row in routes),
        ("refusal", "serialization", TypeAdapter(Refusal)),
    ]
    schemas, root = TypeAdapter.json_schemas(adapters, ref_template=SCHEMA_PREFIX + "{model}")
    return dict(schemas), root["$defs"]


def _operation_id(row: Operation) -> str:
    return row.endpoint.__name__


def _response_shape(row: Operation) -> Any:
    """Returns the response shape that an endpoint's return annotation names."""
    hint = get_type_hints(row.endpoint, include_extras=True)["return"]
    return hint.__metadata__[0] if hasattr(hint, "__metadata__") else hint


def _operation(row: Operation, request: Json, response: Json, definitions: Json) -> Json:
    method, path, endpoint = row.method, row.path, row.endpoint
    in_path = re.findall(r"{(\w+)", path)
    rest = [name for name in request.get("properties", {}) if name not in in_path]
    has_body = method in BODY_METHODS
    in_url = in_path if has_body else [*in_path, *rest]
    operation = {
        "operationId": endpoint.__name__,
        "summary": (endpoint.__doc__ or "").strip().splitlines()[0],
        "description": _access(row),
        "parameters": [_parameter(name, request, name in in_path) for name in in_url],
        "responses": _responses(response, definitions, _possible_errors(row, has_body, in_path)),
        "security": [] if row.signed else [{"key": []}],
    }
    body = _body(request, rest, definitions) if has_body and not row.signed else SHOPS_BODY
    return operation | ({"requestBody": body} if has_body else {})


def _access(row: Operation) -> str:
    if row.signed:
        return "Requires no API key, but the profile's signature of the body: see the guide to webhooks."
    return f"Requires an API key of scope `{required_scope(row.method, display_path(row.path))}`."


def _possible_errors(row: Operation, has_body: bool, in_path: list[str]) -> list[int]:
    """Returns the statuses of the errors with which an operation may answer."""
    impossible = (set() if has_body else {408, 413, 415}) | (set() if "product" in in_path else {404}) | {422}
    if row.signed:
        impossible = {400, 403, 415}
    return [status for status in ERROR_DESCRIPTIONS if status not in impossible]


def _parameter(name: str, request: Json, in_path: bool) -> Json:
    schema = _url_schema(request["properties"][name])
    parameter = {"name": name, "in": "path" if in_path else "query", "schema": schema}
    required = in_path or name in request.get("required", [])
    examples = schema.get("examples")
    return parameter | {"required": required} | ({"example": examples[0]} if examples else {})


def _url_schema(schema: Json) -> Json:
    """Returns a schema as a URL can express it: without null, and only the first of several types."""
    options: list[Json] = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    if len(options) == 1:
        schema = options[0] | {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    if isinstance(schema.get("type"), list):
        schema = schema | {"type": schema["type"][0]}
    if None in schema.get("enum", []):
        schema = schema | {"enum": [value for value in schema["enum"] if value is not None]}
    return schema


def _body(request: Json, names: list[str], definitions: Json) -> Json:
    schema = (
        request
        if "properties" not in request
        else {
            "type": "object",
            "properties": {name: request["properties"][name] for name in names},
            "required": [name for name in request.get("required", []) if name in names],
            "additionalProperties": False,
        }
    )
    return {"required": True, "content": _content(schema, definitions)}


def _responses(response: Json, definitions: Json, errors: list[int]) -> Json:
    success = {
        "description": "the answer",
        "content": _content(response, definitions),
        "headers": {"Nightshelf-Model-Version": {"schema": {"type": "string"}}},
    }
    return {"200": success} | {str(status): {"$ref": f"#/components/responses/{status}"} for status in errors}


def _error_response(status: int) -> Json:
    content = {"application/json": {"schema": {"$ref": f"{SCHEMA_PREFIX}Refusal"}}}
    return {
        "description": ERROR_DESCRIPTIONS[status],
        "content": content,
        "headers": ERROR_HEADERS.get(status, {}),
    }


def _content(schema: Json, definitions: Json) -> Json:
    return {"application/json": {"schema": schema, "example": example(schema, definitions)}}


def _dereferenced(schema: Json, definitions: Json) -> Json:
    """Returns a schema; if it refers to a definition, merged with that definition."""
    reference = schema.get("$ref", "")
    target: Json = definitions[reference.removeprefix(SCHEMA_PREFIX)] if reference else {}
    return target | {key: value for key, value in schema.items() if key != "$ref"}


def _version() -> str:
    try:
        return version("nightshelf")
    except PackageNotFoundError:  # a bento contains the code, not the installed package
        return "0"
