"""What may be asked over HTTP: the parameters of each route, their limits and their defaults."""

import datetime as dt
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from starlette.datastructures import QueryParams

from serving.identity import pseudonym
from serving.recommender import Lane

MOST = 100
MOST_CUSTOMERS = 1000


class Problem(Exception):  # noqa: N818 - an answer like any other, not a failure of the service
    """A request that gets no answer: an HTTP status, a code, a sentence, and the field at fault."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"error": {"code": code, "message": message, "field": field}}


def _hidden(customer: str, info: ValidationInfo[str]) -> str:
    return pseudonym(customer, info.context)


def _apart(value: object) -> object:
    """The ids of a parameter given several times or with commas; anything else is left to be refused."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return value
    return [product.strip() for part in parts for product in part.split(",") if product.strip()]


# No code behind the reading of a request ever holds a customer's own id.
Customer = Annotated[str, Field(coerce_numbers_to_str=True), AfterValidator(_hidden)]
Products = Annotated[list[str], BeforeValidator(_apart)]
Some = Annotated[list[str], Field(max_length=MOST), BeforeValidator(_apart)]


class Question(BaseModel):
    """No parameters at all; the ground of those that have some."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Listing(Question):
    """A list of items; what is out of stock is left out unless `in_stock=false` asks for it too.

    A product whose price isn't known is in no range of prices.
    """

    n: int = Field(10, ge=1, le=MOST)
    in_stock: bool = True
    category: str | None = None
    brand: str | None = None
    min_price: float | None = Field(None, ge=0, allow_inf_nan=False)
    max_price: float | None = Field(None, ge=0, allow_inf_nan=False)
    exclude: Products = []

    @field_validator("max_price")
    @classmethod
    def _not_below_the_other(cls, price: float | None, info: ValidationInfo) -> float | None:
        if price is not None and price < (info.data.get("min_price") or 0):
            raise PydanticCustomError("empty_range", "Input should be no less than min_price")
        return price


class Placed(Listing):
    """A list in which the rules of the shop give products their places: as of a day, or not at all."""

    rules: bool = True
    on: dt.date | None = None


class Personal(Placed):
    """Items for people; the group says what a shop knows of a stranger: a country, a region."""

    lane: Lane = "for-you"
    group: str | None = None
    per_category: int | None = Field(None, ge=1, le=MOST)
    shown: Some = []


class Recommendations(Personal):
    """Items for a customer."""

    customer: Customer


class WithCart(Personal):
    """Items that go with a cart, or with what was looked at; the customer need not be told."""

    customer: Customer | None = None
    cart: list[str] = Field([], max_length=MOST)
    viewed: list[str] = Field([], max_length=MOST)


class OfMany(Personal):
    """Items for many customers at once."""

    customers: list[Customer] = Field(min_length=1, max_length=MOST_CUSTOMERS)


class Related(Listing):
    """Items that go with a product."""

    product: str


class Popular(Placed):
    """What many bought, of late or within the last `days` days; in one group or all."""

    group: str | None = None
    days: int | None = None


class OfUser(Question):
    """An older system's question about a customer."""

    customer: Customer


class OfProduct(Question):
    """An older system's question about a product."""

    product: str


class Reco(Question):
    """The body of `POST /reco`: the shop's own id of a customer, which may be a hash or a number."""

    user_id: Customer


Q = TypeVar("Q", bound=Question)


def from_url(kind: type[Q], path: dict[str, str], query: QueryParams, key: str) -> Q:
    """The parameters in a URL; raises Problem 400 naming the first that is wrong.

    key: the secret behind the pseudonyms.
    """
    given: dict[str, Any] = dict(path)
    for name in set(query.keys()):
        values = [*([path[name]] if name in path else []), *query.getlist(name)]
        given[name] = values[0] if len(values) == 1 else values
    try:
        return kind.model_validate(given, context=key)
    except ValidationError as error:
        raise _problem(error) from None


def from_body(kind: type[Q], body: bytes, key: str) -> Q:
    """The fields of a JSON body; raises Problem 400 naming the first that is wrong.

    key: the secret behind the pseudonyms.
    """
    try:
        return kind.model_validate_json(body, context=key)
    except ValidationError as error:
        raise _problem(error) from None


def _problem(error: ValidationError) -> Problem:
    """The first error of many, without the value that caused it: it may be a person's."""
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else None
    return Problem(400, "bad_parameter", f"{field or 'body'}: {first['msg']}", field)
