"""The types of request parameters, with their limits. Their error messages never contain the value."""

import datetime as dt
import re
import sys
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from serving.live.identity import Pseudonymiser, keyed_hash

MAX_ITEMS = 100
MAX_EXCLUDED = 10_000
LONGEST_SPELLING = 512  # characters of an id that may have several spellings
EARLIEST_TIME = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
CLOCK_SKEW = dt.timedelta(minutes=1)  # how far a shop's clock may be ahead of the service's


def _pseudonym(customer: str, info: ValidationInfo[Pseudonymiser]) -> str | None:
    if len(customer) > LONGEST_SPELLING:  # normalising some texts takes time by the square of their length
        return keyed_hash(customer, info.context.key)
    return info.context.of_request(customer)


def _identified(pseudonym: str | None) -> str:
    """Returns the pseudonym of a customer; raises an error for an id that stands for nobody."""
    if pseudonym is None:
        raise PydanticCustomError("nobody", "Input should be a customer's id, but this id stands for nobody")
    return pseudonym


def _number_as_text(value: Any) -> Any:
    """Converts a number in a JSON body to text, since an id may be written as a number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number and abs(value) <= sys.float_info.max else value


def _not_null(value: Any) -> Any:
    """Rejects null: a request without a customer leaves the field out."""
    if value is None:
        raise PydanticCustomError("string_type", "Input should be a valid string")
    return value


def _whole_number(value: Any) -> Any:
    """Converts 5.0 to 5: JSON does not distinguish them."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _split_ids(value: object) -> object:
    """Splits comma-separated ids, also of repeated parameters. Leaves other values for pydantic to reject."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return value
    return [product.strip() for part in parts for product in part.split(",") if product.strip()]


def _json_types(*types: str) -> Callable[[dict[str, Any]], None]:
    """Declares in the JSON schema that a body may give a field in several types."""
    return lambda schema: schema.update(type=list(types))


def _hashed(text: str, info: ValidationInfo[Pseudonymiser]) -> str:
    return keyed_hash(text, info.context.key)


def _time(value: object) -> object:
    """Parses an ISO 8601 time. Leaves other values for pydantic to reject."""
    try:
        return dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _at_most_max_items(value: object) -> object:
    """Rejects a list that is too long as it was sent: blank ids, which are dropped later, count too."""
    if isinstance(value, list) and len(value) > MAX_ITEMS:
        raise PydanticCustomError("too_long", f"List should have at most {MAX_ITEMS} items")
    return value


def _at_most_max_excluded(products: list[str]) -> list[str]:
    """Rejects a list that takes long to look up; a URL has no room for it."""
    if len(products) > MAX_EXCLUDED:
        raise PydanticCustomError("too_long", f"List should have at most {MAX_EXCLUDED:,} items")
    return products


def _day(value: object) -> dt.date:
    """Parses a day. Rejects numbers, which pydantic would take for seconds since 1970."""
    if not (isinstance(value, str) and DAY.fullmatch(value)):
        raise PydanticCustomError("day", "Input should be a date such as 2026-12-24")
    return dt.date.fromisoformat(value)


def _past(time: dt.datetime) -> dt.datetime:
    if not EARLIEST_TIME <= time <= dt.datetime.now(dt.UTC) + CLOCK_SKEW:
        raise ValueError("Input should be a time in the past, and after the year 1999")
    return time


_CUSTOMER_SCHEMA = WithJsonSchema({"type": ["string", "number"]})
_CUSTOMER_FORM = (
    "the shop's own id of a customer: a phone number or an e-mail address in any spelling, or any text; or "
    "`pseudonym:` followed by the pseudonym's 64 hex digits"
)
_CUSTOMER_EXAMPLES = ["+79165396205"]

# Parsing replaces the shop's own id of a customer by a pseudonym, so no later code ever sees the id.
IdentifiedCustomer = Annotated[
    str,
    _CUSTOMER_SCHEMA,
    Field(description=_CUSTOMER_FORM, examples=_CUSTOMER_EXAMPLES),
    BeforeValidator(_number_as_text),
    AfterValidator(_pseudonym),
    AfterValidator(_identified),
]
# None after parsing: an id that stands for nobody, such as "", 0 or guest, is an anonymous visitor.
Customer = Annotated[
    str | None,
    _CUSTOMER_SCHEMA,
    Field(
        description=f"{_CUSTOMER_FORM}. An id that stands for nobody, such as `0` or `guest`, is answered as"
        " an anonymous visitor",
        examples=_CUSTOMER_EXAMPLES,
    ),
    BeforeValidator(_not_null),
    BeforeValidator(_number_as_text),
    AfterValidator(_pseudonym),
]
Count = Annotated[int, Field(ge=1, le=MAX_ITEMS), BeforeValidator(_whole_number)]
Product = Annotated[str, Field(description="the shop's own id of a product", examples=["10017"])]
Group = Annotated[
    str | None,
    Field(
        description="region of a customer that the model does not know, for example a country",
        examples=["France"],
    ),
]
Category = Annotated[str | None, Field(description="only products of this category", examples=["Kitchen"])]
Brand = Annotated[str | None, Field(description="only products of this brand", examples=["Nordlys"])]
ProductIds = Annotated[
    list[str],
    Field(
        description="products to leave out",
        examples=[["10003"]],
        json_schema_extra=_json_types("array", "string"),
    ),
    BeforeValidator(_split_ids),
    AfterValidator(_at_most_max_excluded),
]
RecentProducts = Annotated[
    list[str],
    Field(max_length=MAX_ITEMS, examples=[["10003"]], json_schema_extra=_json_types("array", "string")),
    BeforeValidator(_split_ids),
    BeforeValidator(_at_most_max_items),
]
Price = Annotated[float | None, Field(ge=0, allow_inf_nan=False, examples=[20.0])]
NonBlankId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Quantity = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
EventId = Annotated[NonBlankId, AfterValidator(_hashed)]
PastTime = Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(_past)]
Day = Annotated[dt.date, BeforeValidator(_day)]
