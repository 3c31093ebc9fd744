"""Schemathesis's hooks: what a request must hold to beside its schema, which can't say it."""

import contextlib
from typing import Any

import schemathesis

YEAR = "2020"
SHORT = len(YEAR)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """A range of prices isn't empty, a group isn't asked for along with days, and events are past."""
    for asked in (case.query, case.body):
        if isinstance(asked, dict):
            _ordered(asked)
            if "days" in asked:
                asked.pop("group", None)
    events = case.body if isinstance(case.body, list) else [case.body]
    for event in events:
        if isinstance(event, dict) and isinstance(time := event.get("time"), str) and time[:SHORT].isdigit():
            event["time"] = YEAR + time[SHORT:]


def _ordered(asked: dict[str, Any]) -> None:
    least, most = asked.get("min_price"), asked.get("max_price")
    with contextlib.suppress(TypeError, ValueError):  # then it is no range, and refused for that
        if float(most) < float(least):
            asked["min_price"], asked["max_price"] = most, least
