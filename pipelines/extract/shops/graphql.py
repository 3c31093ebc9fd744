"""What a GraphQL response says besides its data: errors, and the costs of queries."""

import re
from typing import Any

Content = dict[str, Any]
THROTTLED = "THROTTLED"  # the code of an error that a wait mends
NO_ACCESS = ("FORBIDDEN", "UNAUTHENTICATED", "UNAUTHORIZED", "ACCESS_DENIED")
LONGEST_TEXT = 300
HIGHEST_COST = 1e9
CODE = re.compile(r"[\w.-]{1,80}")


class ThrottledError(Exception):
    """A query that was refused because its cost was not available yet."""


class GraphQLError(Exception):
    """A query that the shop refused."""


class NoAccessError(GraphQLError):
    """A query that the shop doesn't allow with these credentials."""


def cost_wait(content: Content) -> float:
    """Returns the seconds until such a query fits the shop's budget of query costs; 0 without one."""
    cost = _object(_object(content.get("extensions")).get("cost"))
    status = _object(cost.get("throttleStatus"))
    missing = _number(cost.get("requestedQueryCost")) - _number(status.get("currentlyAvailable"))
    return max(missing, 0.0) / max(_number(status.get("restoreRate")), 1.0) if status else 0.0


def check(content: Content, credentials: str) -> None:
    """Raises ThrottledError, NoAccessError or GraphQLError if the response holds errors.

    credentials: names the settings that hold them.
    """
    errors = content.get("errors") or []
    codes = [_code(error) for error in errors]
    if THROTTLED in codes:
        raise ThrottledError
    if not errors:
        return
    if codes[0] in NO_ACCESS:
        raise NoAccessError(f"{codes[0]}; check {credentials}, and what the shop allows them to read")
    raise GraphQLError(
        f"{_text(errors[0], content)} ({codes[0]}); correct the query in the profile, or use a version of the"
        " shop's API that answers it"
    )


def _code(error: Content) -> str:
    code = str(_object(error.get("extensions")).get("code") or "")
    return code if CODE.fullmatch(code) else "no code"


def _object(value: Any) -> Content:
    """Returns an object of a response, an empty one in place of any other value."""
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float:
    """Returns a finite number of a response, 0 in place of any other value."""
    is_number = isinstance(value, int | float) and abs(value) < HIGHEST_COST
    return float(value) if is_number else 0.0


def _text(error: Content, content: Content) -> str:
    """Returns the text of an error, unless the shop had begun to read data, which the text might quote."""
    if "data" in content:
        return "an error while it was answered"
    return " ".join(str(error.get("message", "")).split())[:LONGEST_TEXT]
