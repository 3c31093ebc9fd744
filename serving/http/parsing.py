"""Parses requests: the parameters of a URL or the fields of a JSON body become a request model.

In all functions, `identify` turns customers' ids into pseudonyms.
"""

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json
from starlette.datastructures import QueryParams

from serving.errors import Problem
from serving.http.requests import RequestModel
from serving.live.identity import Pseudonymiser

M = TypeVar("M", bound=RequestModel)

JSON = "application/json"


def require_json(content_type: str | None) -> None:
    """Raises Problem 415 for a body that isn't JSON by its type; a body without a type counts as JSON.

    A page of another site can send text and forms without asking the service first, but no JSON.
    """
    kind = (content_type or JSON).partition(";")[0].strip().lower()
    if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem(415, "unsupported_type", f"body: send it with the header Content-Type: {JSON}")


def from_url(model: type[M], path: dict[str, str], query: QueryParams, identify: Pseudonymiser) -> M:
    """Parses the parameters of a URL; raises Problem 400 naming the first invalid parameter."""
    fields: dict[str, Any] = dict(path)
    for name in set(query.keys()):
        values = [*([path[name]] if name in path else []), *query.getlist(name)]
        fields[name] = values[0] if len(values) == 1 else values
    return from_fields(model, fields, identify)


def from_fields(model: type[M], fields: dict[str, Any], identify: Pseudonymiser) -> M:
    """Parses parameters given by name; raises Problem 400 naming the first invalid parameter."""
    try:
        return model.model_validate(fields, context=identify)
    except ValidationError as error:
        raise _problem(error) from None


def from_body(model: type[M], body: bytes, identify: Pseudonymiser) -> M:
    """Parses a JSON body; raises Problem 400 naming the first invalid field."""
    try:
        # JSON has types, a URL has none.
        return model.model_validate_json(body, strict=True, context=identify)
    except ValidationError as error:
        raise _problem(error) from None


def from_path_and_body(model: type[M], path: dict[str, str], body: bytes, identify: Pseudonymiser) -> M:
    """Parses the parameters of a path and a JSON body; raises Problem 400 naming the first invalid field."""
    try:
        fields = from_json(body)
    except ValueError:
        raise Problem(400, "bad_parameter", "body: Invalid JSON") from None
    if not isinstance(fields, dict):
        raise Problem(400, "bad_parameter", "body: Input should be an object")
    if repeated := sorted(fields.keys() & path.keys()):
        raise Problem(400, "bad_parameter", f"{repeated[0]}: Extra inputs are not permitted", repeated[0])
    try:
        return model.model_validate(fields | path, strict=True, context=identify)
    except ValidationError as error:
        raise _problem(error) from None


def _problem(error: ValidationError) -> Problem:
    """Returns the first error of a validation, without the invalid value: it may be personal data."""
    first = error.errors()[0]
    location = first["loc"] if first["loc"][:1] == ("events",) else first["loc"][:1]
    field = ".".join(map(str, location)) or None
    return Problem(400, "bad_parameter", f"{field or 'body'}: {first['msg']}", field)
