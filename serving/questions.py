"""What may be asked over HTTP: the parameters of each route, their limits and their defaults."""

import datetime as dt
import math
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, from_json
from starlette.datastructures import QueryParams

from serving import identity
from serving.identity import pseudonym
from serving.recommender import Lane
from serving.store import Kind

MOST = 100
MOST_CUSTOMERS = 1000
MOST_EVENTS = 1000
EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
AHEAD = dt.timedelta(minutes=1)  # by which a shop's clock may be before ours


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


def _apart(value: object) -> object:
    """The ids of a parameter given several times or with commas; anything else is left to be refused."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return value
    return [product.strip() for part in parts for product in part.split(",") if product.strip()]


def _or(*types: str) -> Callable[[dict[str, Any]], None]:
    """Tells the document that a body may say a field in several types."""
    return lambda schema: schema.update(type=list(types))


def _unreadable(text: str, info: ValidationInfo[str]) -> str:
    return identity.hidden(text, info.context)


def _past(time: dt.datetime) -> dt.datetime:
    if not EARLIEST <= time <= dt.datetime.now(dt.UTC) + AHEAD:
        raise ValueError("Input should be a time that is past, and after the year 1999")
    return time


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
Some = Annotated[
    list[str],
    Field(max_length=MOST, examples=[["10003"]], json_schema_extra=_or("array", "string")),
    BeforeValidator(_apart),
]
Price = Annotated[float | None, Field(ge=0, allow_inf_nan=False, examples=[20.0])]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Quantity = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class Question(BaseModel):
    """No parameters at all; the ground of those that have some."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Listing(Question):
    """A list of items; what is out of stock is left out unless `in_stock=false` asks for it too.

    A product whose price isn't known is in no range of prices.
    """

    n: Count = Field(10, description="items, at most", examples=[5])
    in_stock: bool = Field(True, description="false: what is out of stock, too", examples=[False])
    category: Category = None
    brand: Annotated[str | None, Field(description="products of this one alone", examples=["Nordlys"])] = None
    min_price: Price = None
    max_price: Price = None
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

    lane: Lane = Field(
        "for-you", description="anything, bought before, or never bought", examples=["discover"]
    )
    group: Group = None
    per_category: Count | None = Field(None, description="products of one category, at most", examples=[2])
    shown: Annotated[Some, Field(description="products shown lately, to step back")] = []


class Recommendations(Personal):
    """Items for a customer."""

    customer: Customer


class WithCart(Personal):
    """Items that go with a cart, or with what was looked at; the customer need not be told."""

    customer: Customer | None = None
    cart: list[str] = Field([], max_length=MOST, description="products in the cart", examples=[["10003"]])
    viewed: list[str] = Field(
        [], max_length=MOST, description="products looked at lately", examples=[["10017"]]
    )


class OfMany(Personal):
    """Items for many customers at once."""

    customers: list[Customer] = Field(min_length=1, max_length=MOST_CUSTOMERS)


class Related(Listing):
    """Items that go with a product."""

    product: Product


class Popular(Placed):
    """What many bought, of late or within the last `days` days; in one group or all."""

    group: Group = None
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


class OfCustomer(Question):
    """A question about a customer."""

    customer: Customer


class History(OfCustomer):
    """What a customer bought, the last purchase first."""

    n: int = Field(MOST, ge=1, le=MOST_EVENTS)


class ProductChange(Question):
    """What to change of a product; what is left out stays, null is again what the model has."""

    product: Product
    stock: StrictBool | Quantity | None = Field(None, examples=[12])
    price: Quantity | None = Field(None, examples=[24.9])
    hidden: StrictBool | None = Field(None, examples=[False])


class Event(Question):
    """What a customer did with a product; an id that came before is the same event."""

    customer: Customer
    product: Annotated[Id, Field(description="the shop's own id of a product", examples=["10017"])]
    kind: Kind
    time: Annotated[AwareDatetime, Field(strict=False), AfterValidator(_past)] | None = None
    id: Annotated[Id, AfterValidator(_unreadable)] | None = None


class Events(Question):
    """The body of `POST /v1/events`: one event or a list of them."""

    events: list[Event] = Field(max_length=MOST_EVENTS)

    @model_validator(mode="before")
    @classmethod
    def _list(cls, body: Any) -> dict[str, Any]:
        return {"events": body if isinstance(body, list) else [body]}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """One event or a list of them, as a body says it."""
        listed = handler.resolve_ref_schema(handler(schema))["properties"]["events"]
        return {"anyOf": [listed["items"], {key: listed[key] for key in ("type", "items", "maxItems")}]}


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
        return kind.model_validate(given | path, context=key)
    except ValidationError as error:
        raise _problem(error) from None


def _problem(error: ValidationError) -> Problem:
    """The first error of many, without the value that caused it: it may be a person's."""
    first = error.errors()[0]
    place = first["loc"] if first["loc"][:1] == ("events",) else first["loc"][:1]
    field = ".".join(map(str, place)) or None
    return Problem(400, "bad_parameter", f"{field or 'body'}: {first['msg']}", field)
