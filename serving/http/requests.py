"""The request model of each route: its parameters with their limits and defaults."""

from typing import Annotated, Any

from pydantic import (
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
    IdentifiedCustomer,
    NonBlankId,
    PastTime,
    Price,
    Product,
    ProductIds,
    Quantity,
    RecentProducts,
)
from serving.http.shop_orders import ProfileName
from serving.live.tables import Kind
from serving.recommend.lanes import Lane
from serving.toml import FrozenModel

MAX_CUSTOMERS = 1000
MAX_BATCH_ITEMS = 10_000  # customers of a request times items for each
MAX_EVENTS = 1000
MAX_LISTED = 1000  # categories or purchases in one response


class RequestModel(FrozenModel):
    """Base class of all request models. It has no parameters and rejects unknown parameters."""


class ListQuery(RequestModel):
    """Filters of a list of items. Products that are out of stock are returned only with `in_stock=false`.

    A price filter removes products without a known price.
    """

    n: Count = Field(10, description="maximum number of items", examples=[5])
    in_stock: bool = Field(True, description="false: include products out of stock", examples=[False])
    category: Category = None
    brand: Brand = None
    min_price: Price = None
    max_price: Price = None
    exclude: ProductIds = Field([])

    @field_validator("max_price")
    @classmethod
    def _at_least_min_price(cls, price: float | None, info: ValidationInfo) -> float | None:
        if price is not None and price < (info.data.get("min_price") or 0):
            raise PydanticCustomError("empty_range", "Input should be no less than min_price")
        return price


class MerchandisedQuery(ListQuery):
    """A list to which the merchandising rules of a day apply, unless `rules=false`."""

    rules: bool = True
    on: Day | None = None


class PersonalQuery(MerchandisedQuery):
    """Items for customers. `group` is the region of customers that the model does not know."""

    lane: Lane = Field(
        "for-you",
        description="for-you: any product; buy-again: bought before; discover: never bought",
        examples=["discover"],
    )
    group: Group = None
    per_category: Count | None = Field(
        None, description="maximum number of items of one category", examples=[2]
    )
    shown: RecentProducts = Field([], description="products shown recently, which are ranked lower")


class RecommendationsQuery(PersonalQuery):
    """Items for one customer."""

    customer: Customer


class CartQuery(PersonalQuery):
    """Items that go with a cart or with recently viewed products. The customer is optional."""

    customer: Customer | None = None
    cart: list[str] = Field(
        [], max_length=MAX_ITEMS, description="products in the cart", examples=[["10003"]]
    )
    viewed: list[str] = Field(
        [], max_length=MAX_ITEMS, description="products viewed recently", examples=[["10017"]]
    )


class BatchQuery(PersonalQuery):
    """Items for each of many customers."""

    customers: list[Customer] = Field(min_length=1, max_length=MAX_CUSTOMERS)

    @field_validator("customers")
    @classmethod
    def _not_too_many_items(cls, customers: list[str | None], info: ValidationInfo) -> list[str | None]:
        if len(customers) * info.data.get("n", 1) > MAX_BATCH_ITEMS:
            raise PydanticCustomError(
                "too_many_items", f"List should ask for at most {MAX_BATCH_ITEMS:,} items: customers times n"
            )
        return customers


class RelatedQuery(ListQuery):
    """Items related to a product."""

    product: Product


class PopularQuery(MerchandisedQuery):
    """Trending products, overall or of one region; or those with most buyers in the last `days` days."""

    group: Group = None
    days: int | None = Field(
        None,
        description="length of the period in days; not together with group",
        json_schema_extra={"enum": [7, 28, 90, None]},
    )


class CategoriesQuery(RequestModel):
    """The categories of the catalogue."""

    n: int = Field(MAX_ITEMS, ge=1, le=MAX_LISTED)


class LegacyUserQuery(RequestModel):
    """Parameters of `GET /users/{customer}/recommendations`, a route of an older system."""

    customer: Customer


class LegacyAssociationsQuery(RequestModel):
    """Parameters of `GET /products/{product}/associations`, a route of an older system."""

    product: Product


class LegacyRecoQuery(RequestModel):
    """Body of `POST /reco`, a route of an older system: the shop's own id of a customer."""

    user_id: Customer


class ForgetRequest(RequestModel):
    """The customer to forget."""

    customer: IdentifiedCustomer


class HistoryQuery(RequestModel):
    """The purchases of a customer, most recent first."""

    customer: Customer
    n: int = Field(MAX_ITEMS, ge=1, le=MAX_LISTED)


class ProductChange(RequestModel):
    """New values for a product. A field that is left out keeps its value; null restores the model's value."""

    product: Product
    stock: StrictBool | Quantity | None = Field(None, examples=[12])
    price: Quantity | None = Field(None, examples=[24.9])
    hidden: StrictBool | None = Field(None, examples=[False])


class Event(RequestModel):
    """What a customer did with a product. Two events with the same id are counted once."""

    customer: IdentifiedCustomer
    product: Annotated[NonBlankId, Field(description="the shop's own id of a product", examples=["10017"])]
    kind: Kind
    time: PastTime | None = None
    id: EventId | None = None


class OrderWebhook(RequestModel):
    """A shop's webhook about an order; the body is what the shop sends."""

    profile: ProfileName = Field(description="the software of the shop", examples=["woocommerce"])


class Events(RequestModel):
    """Body of `POST /v1/events`: one event or a list of events."""

    events: list[Event] = Field(max_length=MAX_EVENTS)

    @model_validator(mode="before")
    @classmethod
    def _list(cls, body: Any) -> dict[str, Any]:
        return {"events": body if isinstance(body, list) else [body]}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Returns the schema of the body itself: an event or a list of events, without the field `events`."""
        events = handler.resolve_ref_schema(handler(schema))["properties"]["events"]
        return {"anyOf": [events["items"], {key: events[key] for key in ("type", "items", "maxItems")}]}
