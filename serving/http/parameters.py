"""The kinds of values that a request may hold, with their limits; what is read wrongly quotes no value."""

import datetime as dt
import re
import sys
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from serving.live import identity

MAX_ITEMS = 100
EARLIEST_TIME = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
CLOCK_SKEW = dt.timedelta(minutes=1)  # by which a shop's clock may be before ours


def _pseudonym(customer: str, info: ValidationInfo[str]) -> str:
    return identity.requested_pseudonym(customer, info.context)


def _number_as_text(value: Any) -> Any:
    """A number in a body as the id that it stands for."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number and abs(value) <= sys.float_info.max else value


def _whole_number(value: Any) -> Any:
    """5.0, which is an integer in JSON, as one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _split_ids(value: object) -> object:
    """The ids of a parameter given several times or with commas; anything else is left to be refused."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return value
    return [product.strip() for part in parts for product in part.split(",") if product.strip()]


def _json_types(*types: str) -> Callable[[dict[str, Any]], None]:
    """Tells the document that a body may say a field in several types."""
    return lambda schema: schema.update(type=list(types))


def _hashed(text: str, info: ValidationInfo[str]) -> str:
    return identity.keyed_hash(text, info.context)


def _time(value: object) -> object:
    """A time in ISO 8601; anything else is left to be refused."""
    try:
        return dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _day(value: object) -> dt.date:
    """A day; a number is none, though pydantic would take it for the seconds since 1970."""
    if not (isinstance(value, str) and DAY.fullmatch(value)):
        raise PydanticCustomError("day", "Input should be a date such as 2026-12-24")
    return dt.date.fromisoformat(value)


def _past(time: dt.datetime) -> dt.datetime:
    if not EARLIEST_TIME <= time <= dt.datetime.now(dt.UTC) + CLOCK_SKEW:
        raise ValueError("Input should be a time that is past, and after the year 1999")
    return time


# No code behind the reading of a request ever holds a customer's own id.
Customer = Annotated[
    str,
    Field(
        description="the shop's own id of a customer: a phone number in any format, or any text; or "
        "`pseudonym:` and the 64 hex digits that stand for it",
        examples=["+79165396205"],
        json_schema_extra=_json_types("string", "number"),
    ),
    BeforeValidator(_number_as_text),
    AfterValidator(_pseudonym),
]
Count = Annotated[int, Field(ge=1, le=MAX_ITEMS), BeforeValidator(_whole_number)]
Product = Annotated[str, Field(description="the shop's own id of a product", examples=["10017"])]
Group = Annotated[
    str | None, Field(description="what is known of a stranger: a country, a region", examples=["France"])
]
Category = Annotated[str | None, Field(description="products of this one alone", examples=["Kitchen"])]
Brand = Annotated[str | None, Field(description="products of this one alone", examples=["Nordlys"])]
ProductIds = Annotated[
    list[str],
    Field(
        description="products to leave out",
        examples=[["10003"]],
        json_schema_extra=_json_types("array", "string"),
    ),
    BeforeValidator(_split_ids),
]
RecentProducts = Annotated[
    list[str],
    Field(max_length=MAX_ITEMS, examples=[["10003"]], json_schema_extra=_json_types("array", "string")),
    BeforeValidator(_split_ids),
]
Price = Annotated[float | None, Field(ge=0, allow_inf_nan=False, examples=[20.0])]
NonBlankId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Quantity = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
EventId = Annotated[NonBlankId, AfterValidator(_hashed)]
PastTime = Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(_past)]
Day = Annotated[dt.date, BeforeValidator(_day)]
