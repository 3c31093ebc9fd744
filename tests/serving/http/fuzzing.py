"""A Schemathesis hook that makes requests meet the conditions that a JSON schema can't express."""

import contextlib
from typing import Any
from urllib.parse import unquote

import schemathesis

from serving.live.identity import is_nobody

YEAR = "2020"
YEAR_DIGITS = len(YEAR)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Makes price ranges non-empty, times past and customers somebody; removes `group` if `days` is given."""
    for fields in (case.query, case.body):
        if isinstance(fields, dict):
            _order_prices(fields)
            if "days" in fields:
                fields.pop("group", None)
    events = case.body if isinstance(case.body, list) else [case.body]
    for fields in (case.path_parameters, *events):
        _name_somebody(fields)
    for event in events:
        if (
            isinstance(event, dict)
            and isinstance(time := event.get("time"), str)
            and time[:YEAR_DIGITS].isdigit()
        ):
            event["time"] = YEAR + time[YEAR_DIGITS:]


def _name_somebody(fields: Any) -> None:
    """Replaces an id that stands for nobody."""
    customer = fields.get("customer") if isinstance(fields, dict) else None
    if isinstance(customer, str | int | float) and is_nobody(unquote(str(customer))):
        fields["customer"] = "anna"


def _order_prices(fields: dict[str, Any]) -> None:
    low, high = fields.get("min_price"), fields.get("max_price")
    with contextlib.suppress(TypeError, ValueError):  # the service rejects values that are no numbers
        if float(high) < float(low):
            fields["min_price"], fields["max_price"] = high, low
