"""The shape of every answer, as `/v1/openapi.json` documents it; nothing is checked against it at run time.

An endpoint names its own by its return annotation. Tests hold the answers to them, so that a field that
isn't documented is found there and costs no request anything.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from serving.recommend.reasons import Kind
from serving.recommend.recommender import Lane

ProductId = Annotated[str, Field(description="the shop's own id of a product", examples=["10017"])]
Name = Annotated[str | None, Field(examples=["Espresso cups, set of 4"])]
Group = Annotated[
    str | None, Field(description="the group that the answer is of; null for none", examples=["France"])
]


class Shape(BaseModel):
    """What is told, no more and no less."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Version(Shape):
    """Which version of the model gave an answer."""

    version: str = Field(examples=["12"])


class Product(Shape):
    """A product's id and name; null where the catalogue has none."""

    product: ProductId
    name: Name


class Reason(Shape):
    """Why a product is recommended, and because of which products."""

    kind: Kind = Field(examples=["taste"])
    because: list[Product]


class Card(Product):
    """What is known of a product."""

    category: str | None = Field(examples=["Kitchen"])
    brand: str | None = Field(examples=["Nordlys"])
    price: float | None = Field(examples=[24.9])
    in_stock: bool = Field(examples=[True])


class Item(Card):
    """A recommended product, and why it is recommended; with the measures of a rule that says so."""

    score: float = Field(examples=[0.8312])
    reason: Reason
    confidence: float = Field(0, description="share of the baskets with the others", examples=[0.31])
    lift: float = Field(0, description="times as often as by chance", examples=[4.2])
    support: float = Field(0, description="share of all baskets", examples=[0.012])
    count: int = Field(0, description="baskets with all of them", examples=[184])
    rule: str = Field("", description="rule of the shop that gave it its place", examples=["summer sale"])


class OfCustomer(Shape):
    """Items for a customer; `known` is false for a stranger, who gets what trends."""

    known: bool = Field(examples=[True])
    group: Group
    items: list[Item]


class Recommended(OfCustomer):
    """Items for a customer, and the version that recommends them."""

    model: Version
    lane: Lane = Field(examples=["for-you"])


class WithCart(Recommended):
    """Items that go with a cart, and the ids in it that the catalogue lacks."""

    unknown: list[str] = Field(examples=[[]])


class OfMany(Shape):
    """Items for many customers, in their order."""

    model: Version
    lane: Lane = Field(examples=["for-you"])
    customers: list[OfCustomer]


class Purchase(Card):
    """What a customer bought."""

    orders: int = Field(description="orders that held it", examples=[3])
    last_day: str = Field(description="day of the last of them", examples=["2026-11-02"])


class History(Shape):
    """What a customer bought, the last purchase first."""

    model: Version
    known: bool = Field(examples=[True])
    items: list[Purchase]


class Changed(Shape):
    """What is told of a product from now on; null stands for what the shop's catalogue says."""

    model: Version
    product: ProductId
    in_stock: bool | None = Field(examples=[True])
    price: float | None = Field(examples=[24.9])
    hidden: bool | None = Field(examples=[False])


class Accepted(Shape):
    """How many events are kept."""

    model: Version
    accepted: int = Field(examples=[1])


class Forgotten(Shape):
    """That a customer is forgotten, and how many events went."""

    model: Version
    forgotten: bool = Field(examples=[True])
    events: int = Field(examples=[4])


class Alternatives(Shape):
    """Items that could take a product's place."""

    model: Version
    product: Product
    items: list[Item]


class Together(Shape):
    """Items that go with a product, each with its rule."""

    model: Version
    product: Product
    items: list[Item]


class Trending(Shape):
    """What many bought."""

    model: Version
    category: str | None = Field(examples=["Kitchen"])
    days: int | None = Field(examples=[None])
    group: Group
    items: list[Item]


class About(BaseModel):
    """What the serving model is; the settings of its night are told as they were."""

    model_config = ConfigDict(extra="allow")

    model: Version
    verdict: dict[str, Any] = Field(description="the gate's verdict and its reasons")
    as_of: str | None = Field(description="last day that it has seen", examples=["2026-11-21"])
    window: dict[str, Any]
    counts: dict[str, Any]
    lanes: dict[str, Any]
    metrics: dict[str, Any]


class Speed(Shape):
    """How long answers took lately."""

    seconds: float = Field(description="over how many", examples=[60.2])
    answers: int = Field(description="how many, of all workers", examples=[1840])
    p99_ms: float | None = Field(description="in which 99 % of them came; null of none", examples=[3.12])


class Status(Shape):
    """Who serves, and how fast."""

    model: Version
    as_of: str | None = Field(description="last day that it has seen", examples=["2026-11-21"])
    window: dict[str, Any]
    counts: dict[str, Any]
    verdict: dict[str, Any] = Field(description="the gate's verdict and its reasons")
    latency: Speed


class Department(Shape):
    """A category and how many products it has."""

    category: str = Field(examples=["Kitchen"])
    products: int = Field(examples=[120])


class Categories(Shape):
    """The categories of the catalogue."""

    model: Version
    items: list[Department]


class Shopper(Shape):
    """A telling customer; what was recommended at the cut, and what was bought from then on."""

    kind: str = Field(examples=["loyal"])
    customer: str = Field(description="may be asked about in place of an id", examples=["pseudonym:00ff"])
    days: int = Field(description="with purchases, before the cut", examples=[11])
    units: float = Field(description="bought on such a day, in the mean", examples=[4.5])
    last_day: str = Field(description="of a purchase before the cut", examples=["2026-10-20"])
    category: str | None = Field(description="most bought", examples=["Kitchen"])
    share: float = Field(description="of the purchases that are of it", examples=[0.82])
    planted: list[str] = Field(description="what a simulated shop made it like", examples=[["Kitchen"]])
    recommended: list[Card]
    bought: list[Card]


class Shoppers(Shape):
    """Customers on whom the settings of the model were tried, and the days between which they were."""

    model: Version
    cut: str | None = Field(description="last day that was learned from", examples=["2026-10-24"])
    until: str | None = Field(description="last day of the purchases", examples=["2026-11-21"])
    popular: list[Card] = Field(description="most bought lately, at the cut")
    shoppers: list[Shopper]


class Rating(Shape):
    """An older system's item."""

    goodsId: str = Field(examples=["10017"])  # noqa: N815
    rating: float = Field(examples=[0.8312])


class Association(Shape):
    """An older system's rule."""

    antecedent: str = Field(examples=["10017"])
    consequent: str = Field(examples=["10003"])
    confidence: float = Field(examples=[0.31])


class Scored(Shape):
    """An older system's item with a name."""

    score: float = Field(examples=[0.8312])
    item_name: Name
    item_id: str = Field(examples=["10017"])
    brand: str | None = Field(examples=["Nordlys"])


class Fault(Shape):
    """What was wrong with a request."""

    code: str = Field(description="for programs", examples=["bad_parameter"])
    message: str = Field(
        description="for people; quotes no value", examples=["n: Input should be less than or equal to 100"]
    )
    field: str | None = Field(description="the parameter at fault", examples=["n"])


class Refusal(Shape):
    """Every answer that is none."""

    error: Fault
