"""The shapes of the responses with products, of writes, and of errors, as `/v1/openapi.json` documents them.

An endpoint names its shape in its return annotation. Tests compare responses with the shapes; at run time
nothing is compared, so that requests don't pay for it.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.recommend.lanes import Lane
from serving.recommend.reasons import Kind

ProductId = Annotated[str, Field(description="the shop's own id of a product", examples=["10017"])]
Name = Annotated[str | None, Field(examples=["Espresso cups, set of 4"])]
Group = Annotated[
    str | None,
    Field(
        description="region whose trend is returned; null for the overall trend and for known customers",
        examples=["France"],
    ),
]


class Shape(BaseModel):
    """Base class of shapes: no other fields, no type conversions."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Version(Shape):
    """The model that answered."""

    version: str = Field(examples=["12"])


# Of writes that need no model.
MaybeVersion = Annotated[Version | None, Field(description="null before the first model is live")]


class Product(Shape):
    """The id and the name of a product. The name is null if it is unknown."""

    product: ProductId
    name: Name


class Reason(Shape):
    """Why a product is recommended, and the products that are the reason."""

    kind: Kind = Field(examples=["taste"])
    because: list[Product]


class Card(Product):
    """The catalogue data of a product. Unknown values are null."""

    category: str | None = Field(examples=["Kitchen"])
    brand: str | None = Field(examples=["Nordlys"])
    price: float | None = Field(examples=[24.9])
    in_stock: bool = Field(examples=[True])


class Item(Card):
    """A recommended product with score and reason, and the measures of its association rule, if any."""

    score: float = Field(examples=[0.8312])
    reason: Reason
    confidence: float = Field(
        0,
        description="share of the baskets with the other products that also contain this one",
        examples=[0.31],
    )
    lift: float = Field(0, description="how many times more often than by chance", examples=[4.2])
    support: float = Field(
        0, description="share of all baskets that contain all of the products", examples=[0.012]
    )
    count: int = Field(0, description="baskets that contain all of the products", examples=[184])
    rule: str = Field("", description="merchandising rule that moved the product", examples=["summer sale"])


class OfCustomer(Shape):
    """Items for a customer. `known` is false for an unknown customer, whose items are the trend."""

    known: bool = Field(examples=[True])
    group: Group
    items: list[Item]


class Recommended(OfCustomer):
    """Items for a customer, with the model and the lane."""

    model: Version
    lane: Lane = Field(examples=["for-you"])


class WithCart(Recommended):
    """Items for a cart, and the product ids of the request that are not in the catalogue."""

    unknown: list[str] = Field(examples=[[]])


class OfMany(Shape):
    """Items for many customers, in the order of the request."""

    model: Version
    lane: Lane = Field(examples=["for-you"])
    customers: list[OfCustomer]


class Purchase(Card):
    """A product that a customer bought."""

    orders: int = Field(description="orders that contain the product", examples=[3])
    last_day: str = Field(description="day of the most recent of these orders", examples=["2026-11-02"])


class History(Shape):
    """The products that a customer bought, most recent first."""

    model: Version
    known: bool = Field(examples=[True])
    items: list[Purchase]


class Changed(Shape):
    """The changed values of a product. Null means that the catalogue's value applies."""

    model: Version
    product: ProductId
    in_stock: bool | None = Field(examples=[True])
    price: float | None = Field(examples=[24.9])
    hidden: bool | None = Field(examples=[False])


class Accepted(Shape):
    """How many events were stored, and how many not: too many of products that the model doesn't know."""

    model: MaybeVersion
    accepted: int = Field(examples=[1])
    unknown: int = Field(examples=[0])


class OrderReceived(Shape):
    """What became of the order in a webhook."""

    model: MaybeVersion
    order: Literal["stored", "removed", "unchanged", "ignored"] = Field(
        description="removed: it is cancelled or deleted; unchanged: this or a newer version was known; "
        "ignored: the webhook is not about an order",
        examples=["stored"],
    )


class Forgotten(Shape):
    """Confirms that a customer is forgotten, with the number of deleted events."""

    model: MaybeVersion
    forgotten: bool = Field(examples=[True])
    events: int = Field(examples=[4])


class Alternatives(Shape):
    """Alternatives to a product."""

    model: Version
    product: Product
    items: list[Item]


class Together(Shape):
    """Products bought in the same basket as a product, each with its association rule."""

    model: Version
    product: Product
    items: list[Item]


class Trending(Shape):
    """Trending products, or the products with most buyers in the last `days` days."""

    model: Version
    category: str | None = Field(examples=["Kitchen"])
    days: int | None = Field(examples=[None])
    group: Group
    items: list[Item]


class Rating(Shape):
    """An item in the format of an older system (`GET /users/{customer}/recommendations`)."""

    goodsId: str = Field(examples=["10017"])  # noqa: N815
    rating: float = Field(examples=[0.8312])


class Association(Shape):
    """An association rule in the format of an older system."""

    antecedent: str = Field(examples=["10017"])
    consequent: str = Field(examples=["10003"])
    confidence: float = Field(examples=[0.31])


class Scored(Shape):
    """An item in the format of an older system (`POST /reco`)."""

    score: float = Field(examples=[0.8312])
    item_name: Name
    item_id: str = Field(examples=["10017"])
    brand: str | None = Field(examples=["Nordlys"])


class Fault(Shape):
    """Why a request failed."""

    code: str = Field(description="stable code for programs", examples=["bad_parameter"])
    message: str = Field(
        description="message for people; contains no parameter values",
        examples=["n: Input should be less than or equal to 100"],
    )
    field: str | None = Field(description="the invalid parameter, if there is one", examples=["n"])


class Refusal(Shape):
    """The body of every error response."""

    error: Fault
