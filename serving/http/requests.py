"""What may be asked over HTTP: the parameters of each route, their limits and their defaults."""

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from serving.http.parameters import (
    MAX_ITEMS,
    Brand,
    Category,
    Count,
    Customer,
    Day,
    EventId,
    Group,
    NonBlankId,
    PastTime,
    Price,
    Product,
    ProductIds,
    Quantity,
    RecentProducts,
)
from serving.live.store import Kind
from serving.recommend.recommender import Lane

MAX_CUSTOMERS = 1000
MAX_EVENTS = 1000


class RequestModel(BaseModel):
    """No parameters at all; the ground of those that have some."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ListQuery(RequestModel):
    """A list of items; what is out of stock is left out unless `in_stock=false` asks for it too.

    A product whose price isn't known is in no range of prices.
    """

    n: Count = Field(10, description="items, at most", examples=[5])
    in_stock: bool = Field(True, description="false: what is out of stock, too", examples=[False])
    category: Category = None
    brand: Brand = None
    min_price: Price = None
    max_price: Price = None
    exclude: ProductIds = []

    @field_validator("max_price")
    @classmethod
    def _not_below_the_other(cls, price: float | None, info: ValidationInfo) -> float | None:
        if price is not None and price < (info.data.get("min_price") or 0):
            raise PydanticCustomError("empty_range", "Input should be no less than min_price")
        return price


class MerchandisedQuery(ListQuery):
    """A list in which the rules of the shop give products their places: as of a day, or not at all."""

    rules: bool = True
    on: Day | None = None


class PersonalQuery(MerchandisedQuery):
    """Items for people; the group says what a shop knows of a stranger: a country, a region."""

    lane: Lane = Field(
        "for-you", description="anything, bought before, or never bought", examples=["discover"]
    )
    group: Group = None
    per_category: Count | None = Field(None, description="products of one category, at most", examples=[2])
    shown: Annotated[RecentProducts, Field(description="products shown lately, to step back")] = []


class RecommendationsQuery(PersonalQuery):
    """Items for a customer."""

    customer: Customer


class CartQuery(PersonalQuery):
    """Items that go with a cart, or with what was looked at; the customer need not be told."""

    customer: Customer | None = None
    cart: list[str] = Field(
        [], max_length=MAX_ITEMS, description="products in the cart", examples=[["10003"]]
    )
    viewed: list[str] = Field(
        [], max_length=MAX_ITEMS, description="products looked at lately", examples=[["10017"]]
    )


class BatchQuery(PersonalQuery):
    """Items for many customers at once."""

    customers: list[Customer] = Field(min_length=1, max_length=MAX_CUSTOMERS)


class RelatedQuery(ListQuery):
    """Items that go with a product."""

    product: Product


class PopularQuery(MerchandisedQuery):
    """What many bought, of late or within the last `days` days; in one group or all."""

    group: Group = None
    days: int | None = Field(
        None, description="not along with a group", json_schema_extra={"enum": [7, 28, 90, None]}
    )


class CategoriesQuery(RequestModel):
    """The categories of the catalogue."""

    n: int = Field(MAX_ITEMS, ge=1, le=MAX_EVENTS)


class LegacyUserQuery(RequestModel):
    """An older system's question about a customer."""

    customer: Customer


class LegacyAssociationsQuery(RequestModel):
    """An older system's question about a product."""

    product: Product


class LegacyRecoQuery(RequestModel):
    """The body of `POST /reco`: the shop's own id of a customer, which may be a hash or a number."""

    user_id: Customer


class ForgetRequest(RequestModel):
    """A question about a customer."""

    customer: Customer


class HistoryQuery(ForgetRequest):
    """What a customer bought, the last purchase first."""

    n: int = Field(MAX_ITEMS, ge=1, le=MAX_EVENTS)


class ProductChange(RequestModel):
    """What to change of a product; what is left out stays, null is again what the model has."""

    product: Product
    stock: StrictBool | Quantity | None = Field(None, examples=[12])
    price: Quantity | None = Field(None, examples=[24.9])
    hidden: StrictBool | None = Field(None, examples=[False])


class Event(RequestModel):
    """What a customer did with a product; an id that came before is the same event."""

    customer: Customer
    product: Annotated[NonBlankId, Field(description="the shop's own id of a product", examples=["10017"])]
    kind: Kind
    time: PastTime | None = None
    id: EventId | None = None


class Events(RequestModel):
    """The body of `POST /v1/events`: one event or a list of them."""

    events: list[Event] = Field(max_length=MAX_EVENTS)

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
