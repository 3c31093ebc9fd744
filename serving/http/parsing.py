"""From a request to a question: the URL's parameters, a body's fields."""

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json
from starlette.datastructures import QueryParams

from serving.errors import Problem
from serving.http.requests import RequestModel

Q = TypeVar("Q", bound=RequestModel)


def from_url(kind: type[Q], path: dict[str, str], query: QueryParams, key: str) -> Q:
    """The parameters in a URL; raises Problem 400 naming the first that is wrong.

    key: the secret behind the pseudonyms.
    """
    given: dict[str, Any] = dict(path)
    for name in set(query.keys()):
        values = [*([path[name]] if name in path else []), *query.getlist(name)]
        given[name] = values[0] if len(values) == 1 else values
    return from_fields(kind, given, key)


def from_fields(kind: type[Q], given: dict[str, Any], key: str) -> Q:
    """The parameters by their names; raises Problem 400 naming the first that is wrong.

    key: the secret behind the pseudonyms.
    """
    try:
        return kind.model_validate(given, context=key)
    except ValidationError as error:
        raise _problem(error) from None


def from_body(kind: type[Q], body: bytes, key: str) -> Q:
    """The fields of a JSON body; raises Problem 400 naming the first that is wrong.

    key: the secret behind the pseudonyms.
    """
    try:
        return kind.model_validate_json(body, strict=True, context=key)  # JSON has types, a URL has none
    except ValidationError as error:
        raise _problem(error) from None


def from_both(kind: type[Q], path: dict[str, str], body: bytes, key: str) -> Q:
    """The parameters in a path and the fields of a JSON body; raises Problem 400 as the two above."""
    try:
        given = from_json(body)
    except ValueError:
        raise Problem(400, "bad_parameter", "body: Invalid JSON") from None
    if not isinstance(given, dict):
        raise Problem(400, "bad_parameter", "body: Input should be an object")
    if twice := sorted(given.keys() & path.keys()):
        raise Problem(400, "bad_parameter", f"{twice[0]}: Extra inputs are not permitted", twice[0])
    try:
        return kind.model_validate(given | path, strict=True, context=key)
    except ValidationError as error:
        raise _problem(error) from None


def _problem(error: ValidationError) -> Problem:
    """The first error of many, without the value that caused it: it may be a person's."""
    first = error.errors()[0]
    place = first["loc"] if first["loc"][:1] == ("events",) else first["loc"][:1]
    field = ".".join(map(str, place)) or None
    return Problem(400, "bad_parameter", f"{field or 'body'}: {first['msg']}", field)
