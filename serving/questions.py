"""What may be asked over HTTP: the parameters of each route, their limits and their defaults."""

import math
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)
from starlette.datastructures import QueryParams

from serving.identity import pseudonym
from serving.recommender import Lane

MOST = 100
MOST_CUSTOMERS = 1000


class Problem(Exception):  # noqa: N818 - an answer like any other, not a failure of the service
    """A request that gets no answer: an HTTP status, a code, a sentence, and the field at fault."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.headers = headers
        self.body = {"error": {"code": code, "message": message, "field": field}}


def _hidden(customer: str, info: ValidationInfo[str]) -> str:
    return pseudonym(customer, info.context)


def _text(value: Any) -> Any:
    """A number in a body as the id that it stands for."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number and math.isfinite(value) else value


def _whole(value: Any) -> Any:
    """5.0, which is an integer in JSON, as one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _apart(value: Any) -> Any:
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return value  # which is refused for what it is
    return [product.strip() for part in parts for product in part.split(",") if product.strip()]


def _or(*types: str) -> Callable[[dict[str, Any]], None]:
    """Tells the document that a body may say a field in several types."""
    return lambda schema: schema.update(type=list(types))


# No code behind the reading of a request ever holds a customer's own id.
Customer = Annotated[
    str,
    Field(
        description="the shop's own id of a customer: a phone number in any format, or any text",
        examples=["+79165396205"],
        json_schema_extra=_or("string", "number"),
    ),
    BeforeValidator(_text),
    AfterValidator(_hidden),
]
Count = Annotated[int, Field(ge=1, le=MOST), BeforeValidator(_whole)]
Product = Annotated[str, Field(description="the shop's own id of a product", examples=["10017"])]
Group = Annotated[
    str | None, Field(description="what is known of a stranger: a country, a region", examples=["France"])
]
Category = Annotated[str | None, Field(description="products of this one alone", examples=["Kitchen"])]
Products = Annotated[
    list[str],
    Field(
        description="products to leave out", examples=[["10003"]], json_schema_extra=_or("array", "string")
    ),
    BeforeValidator(_apart),
]
Shown = Annotated[
    list[str],
    Field(
        max_length=MOST,
        description="products shown lately, to step back",
        examples=[["10003"]],
        json_schema_extra=_or("array", "string"),
    ),
    BeforeValidator(_apart),
]


class Question(BaseModel):
    """No parameters at all; the ground of those that have some."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Listing(Question):
    """A list of items; what is out of stock is left out unless `in_stock=false` asks for it too."""

    n: Count = Field(10, description="items, at most", examples=[5])
    in_stock: bool = Field(True, description="false: what is out of stock, too", examples=[False])


class Recommendations(Listing):
    """Items for a customer; the group says what a shop knows of a stranger: a country, a region."""

    customer: Customer
    lane: Lane = Field(
        "for-you", description="anything, bought before, or never bought", examples=["discover"]
    )
    group: Group = None
    category: Category = None
    exclude: Products = []
    per_category: Count | None = Field(None, description="products of one category, at most", examples=[2])
    shown: Shown = []


class OfMany(Listing):
    """Items for many customers at once, by the same rules for all."""

    customers: list[Customer] = Field(min_length=1, max_length=MOST_CUSTOMERS)
    lane: Lane = Field("for-you", description="anything, bought before, or never bought")
    category: Category = None
    exclude: Products = []


class Related(Listing):
    """Items that go with a product."""

    product: Product


class Popular(Listing):
    """What many bought, of late or within the last `days` days; in one group or all."""

    group: Group = None
    category: Category = None
    days: int | None = Field(
        None, description="not along with a group", json_schema_extra={"enum": [7, 28, 90, None]}
    )


class OfUser(Question):
    """An older system's question about a customer."""

    customer: Customer


class OfProduct(Question):
    """An older system's question about a product."""

    product: Product


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


def _problem(error: ValidationError) -> Problem:
    """The first error of many, without the value that caused it: it may be a person's."""
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else None
    return Problem(400, "bad_parameter", f"{field or 'body'}: {first['msg']}", field)
