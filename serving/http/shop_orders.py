"""Reads the order in a shop's webhook as the shop's profile says."""

import datetime as dt
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from serving import toml
from serving.errors import Problem
from serving.live.orders import Line, Order
from serving.live.store import MICROSECONDS_PER_SECOND, now_microseconds
from serving.toml import FrozenModel

ProfileName = Literal["woocommerce", "shopify", "medusa"]
PROFILE_NAMES: tuple[ProfileName, ...] = get_args(ProfileName)
SHIPPED = Path(__file__).with_name("webhooks.toml")
MAX_ID_LENGTH = 200
EARLIEST_YEAR = 2000
Paths = tuple[str, ...]


class LeaveOut(FrozenModel):
    """Orders that aren't purchases: those whose column has one of the values, or is filled."""

    column: str
    values: tuple[str, ...] = ()
    filled: bool = False


class Profile(FrozenModel):
    """How a shop's webhook is signed, and the paths of an order's fields in its body."""

    signature: str  # header of the HMAC-SHA256 of the body
    encoding: Literal["base64", "hex"]
    topic: str | None = None  # header that says what happened
    topics: tuple[str, ...] = ()  # of an order; others are ignored
    deleted: tuple[str, ...] = ()  # topics of an order that is gone
    lines: str
    order_id: Paths = Field(min_length=1)
    ordered_at: Paths
    changed_at: Paths
    customer: Paths
    product: Paths  # this and the next two are paths within a line
    quantity: Paths
    unit_price: Paths
    leave_out: tuple[LeaveOut, ...] = ()


class Profiles(FrozenModel):
    """The profiles of all shops that send webhooks."""

    woocommerce: Profile
    shopify: Profile
    medusa: Profile


def load(file: str) -> Profiles:
    """Returns the profiles in a TOML file, or the shipped ones; raises NightshelfError if unusable."""
    return toml.read(
        Profiles, Path(file) if file else SHIPPED, "NIGHTSHELF_WEBHOOK_PROFILES" if file else "webhooks.toml"
    )


def read(profile: Profile, name: ProfileName, record: Any, is_deleted: bool, customer: Any) -> Order:
    """Returns the order in a webhook's body; raises Problem 422 naming the field that can't be read.

    customer: function from the shop's own id of a customer to the pseudonym.
    """
    if not isinstance(record, dict):
        raise _malformed("body: Input should be an object")
    order_id, now = _order_id(profile, record), now_microseconds()
    if is_deleted:
        return Order(name, order_id, None, now, now)
    at = _time(profile.ordered_at, record)
    if at is None:
        raise _malformed(
            f"{profile.ordered_at[0]}: Input should be a time in ISO 8601", profile.ordered_at[0]
        )
    changed_at = _time(profile.changed_at, record) or now
    lines = value_at(record, profile.lines)
    if not isinstance(lines, list):
        raise _malformed(f"{profile.lines}: Input should be a list of the order's lines", profile.lines)
    bought = (
        () if _is_left_out(profile, record) else tuple(filter(None, (_line(profile, item) for item in lines)))
    )
    own_id = _text(first(record, profile.customer))
    return Order(
        name, order_id, customer(own_id) if own_id else None, min(at, now), min(changed_at, now), bought
    )


def value_at(record: Any, path: str) -> Any:
    """Returns the value at a path of keys joined by points; None where the path ends early."""
    for key in path.split("."):
        record = record.get(key) if isinstance(record, dict) else None
    return record


def first(record: Any, paths: Sequence[str]) -> Any:
    """Returns the first value at one of the paths that isn't blank, None if there is none; 0 is a value."""
    values = (value_at(record, path) for path in paths)
    return next((value for value in values if value is not None and str(value).strip()), None)


def _order_id(profile: Profile, record: dict[str, Any]) -> str:
    text = _text(first(record, profile.order_id))
    if not text or len(text) > MAX_ID_LENGTH or "\0" in text:
        path = profile.order_id[0]
        raise _malformed(
            f"{path}: Input should be the order's id, of at most {MAX_ID_LENGTH} characters", path
        )
    return text


def _line(profile: Profile, item: Any) -> Line | None:
    """Returns an order line; None if it has no product id, or no piece that was kept."""
    product = next(
        (text for path in profile.product if (text := _text(value_at(item, path))) not in ("", "0")), ""
    )
    quantity, price = _number(first(item, profile.quantity)), _number(first(item, profile.unit_price))
    if not 0 < len(product) <= MAX_ID_LENGTH or "\0" in product or quantity is None or quantity <= 0:
        return None
    return product, quantity, price


def _is_left_out(profile: Profile, record: dict[str, Any]) -> bool:
    for rule in profile.leave_out:
        text = _text(value_at(record, rule.column)).casefold()
        if text in rule.values or (rule.filled and text):
            return True
    return False


def _time(paths: Sequence[str], record: dict[str, Any]) -> int | None:
    """Returns a time in microseconds since 1970, None if there is none; without a zone it is in UTC."""
    value = first(record, paths)
    try:
        time = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if time is None or time.year < EARLIEST_YEAR:
        return None
    time = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    return int(time.timestamp() * MICROSECONDS_PER_SECOND)


def _text(value: Any) -> str:
    """Returns a plain value as trimmed text, all else as empty."""
    if isinstance(value, bool):
        return json.dumps(value)
    return str(value).strip() if isinstance(value, str | int) else ""


def _number(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _malformed(message: str, field: str | None = None) -> Problem:
    return Problem(422, "malformed_order", message, field)
