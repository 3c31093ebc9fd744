"""The OpenAPI document: the routes, what they are asked and what they answer, from the code that does it."""

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
    "What a shop asks Nightshelf. Every answer names the version of the model that gave it, in the header "
    "Nightshelf-Model-Version too. Parameters that a route doesn't know are refused."
)

ERROR_DESCRIPTIONS = {
    400: "a parameter or the body is wrong; `field` names it",
    401: "no key, or none that is known",
    403: "the key's scope is too small",
    404: "the catalogue has no such product",
    408: "the body came too slowly",
    413: "the body is too large",
    429: "the key asked too often; Retry-After says for how many seconds to wait",
    500: "the service failed",
    503: "no model is live yet",
}
ERROR_HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}},
}


def document(routes: Sequence[Operation]) -> Json:
    """The OpenAPI 3.1 document of the routes, examples included."""
    schemas, definitions = _schemas(routes)
    paths: dict[str, Json] = {}
    for row in routes:
        asked, answered = (
            schemas[_operation_id(row), "validation"],
            schemas[_operation_id(row), "serialization"],
        )
        operation = _operation(row, _dereferenced(asked, definitions), answered, definitions)
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
    """A value of a schema, put together of the examples and defaults in it."""
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
        return {name: example(one, definitions) for name, one in schema.get("properties", {}).items()}
    return schema.get("enum", ["text"])[0]


def _schemas(routes: Sequence[Operation]) -> tuple[dict[Any, Json], Json]:
    """The schemas of all questions and answers, by the endpoint's name and mode, and what they refer to."""
    wanted: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        *((_operation_id(row), "validation", TypeAdapter(row.request)) for row in routes),
        *((_operation_id(row), "serialization", TypeAdapter(_response_shape(row))) for row in routes),
        ("refusal", "serialization", TypeAdapter(Refusal)),
    ]
    schemas, found = TypeAdapter.json_schemas(wanted, ref_template=SCHEMA_PREFIX + "{model}")
    return dict(schemas), found["$defs"]


def _operation_id(row: Operation) -> str:
    return row.endpoint.__name__


def _response_shape(row: Operation) -> Any:
    """The shape that an endpoint's return annotation names."""
    hint = get_type_hints(row.endpoint, include_extras=True)["return"]
    return hint.__metadata__[0] if hasattr(hint, "__metadata__") else hint


def _operation(row: Operation, asked: Json, answered: Json, definitions: Json) -> Json:
    method, path, endpoint = row.method, row.path, row.endpoint
    in_path = re.findall(r"{(\w+)", path)
    rest = [name for name in asked.get("properties", {}) if name not in in_path]
    has_body = method in BODY_METHODS
    in_url = in_path if has_body else [*in_path, *rest]
    told = {
        "operationId": endpoint.__name__,
        "summary": (endpoint.__doc__ or "").strip().splitlines()[0],
        "description": f"Asks for a key of scope `{required_scope(method, display_path(path))}`.",
        "parameters": [_parameter(name, asked, name in in_path) for name in in_url],
        "responses": _responses(answered, definitions, has_body, "product" in in_path),
        "security": [{"key": []}],
    }
    return told | ({"requestBody": _body(asked, rest, definitions)} if has_body else {})


def _parameter(name: str, asked: Json, in_path: bool) -> Json:
    schema = _url_schema(asked["properties"][name])
    told = {"name": name, "in": "path" if in_path else "query", "schema": schema}
    required = in_path or name in asked.get("required", [])
    examples = schema.get("examples")
    return told | {"required": required} | ({"example": examples[0]} if examples else {})


def _url_schema(schema: Json) -> Json:
    """A schema as a URL can say it: without null, and of several types the first."""
    kinds: list[Json] = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    if len(kinds) == 1:
        schema = kinds[0] | {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    if isinstance(schema.get("type"), list):
        schema = schema | {"type": schema["type"][0]}
    if None in schema.get("enum", []):
        schema = schema | {"enum": [one for one in schema["enum"] if one is not None]}
    return schema


def _body(asked: Json, names: list[str], definitions: Json) -> Json:
    schema = (
        asked
        if "properties" not in asked
        else {
            "type": "object",
            "properties": {name: asked["properties"][name] for name in names},
            "required": [name for name in asked.get("required", []) if name in names],
            "additionalProperties": False,
        }
    )
    return {"required": True, "content": _content(schema, definitions)}


def _responses(answered: Json, definitions: Json, has_body: bool, has_product: bool) -> Json:
    left_out = set() if has_body else {408, 413}
    refused = [
        status for status in ERROR_DESCRIPTIONS if status not in left_out | (set() if has_product else {404})
    ]
    answer = {
        "description": "the answer",
        "content": _content(answered, definitions),
        "headers": {"Nightshelf-Model-Version": {"schema": {"type": "string"}}},
    }
    return {"200": answer} | {str(s): {"$ref": f"#/components/responses/{s}"} for s in refused}


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
    """A schema in place of a reference to it."""
    reference = schema.get("$ref", "")
    found: Json = definitions[reference.removeprefix(SCHEMA_PREFIX)] if reference else {}
    return found | {key: value for key, value in schema.items() if key != "$ref"}


def _version() -> str:
    try:
        return version("nightshelf")
    except PackageNotFoundError:  # in a bento, which holds the code and not the package
        return "0"
