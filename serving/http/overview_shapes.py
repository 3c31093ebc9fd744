"""The shapes of responses about the model, the service, categories and example customers."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from serving.http.shapes import Card, Shape, Version


class About(BaseModel):
    """Facts about the served model, including settings of the nightly run that trained it."""

    model_config = ConfigDict(extra="allow")

    model: Version
    verdict: dict[str, Any] = Field(description="the gate's verdict and its reasons")
    as_of: str | None = Field(description="last day of the training data", examples=["2026-11-21"])
    window: dict[str, Any]
    counts: dict[str, Any]
    lanes: dict[str, Any]
    metrics: dict[str, Any]


class Speed(Shape):
    """Recent latency."""

    seconds: float = Field(description="length of the period", examples=[60.2])
    answers: int = Field(description="answers in the period, by all workers", examples=[1840])
    p99_ms: float | None = Field(description="99th percentile; null without answers", examples=[3.12])


class Status(Shape):
    """The served model, and its recent latency."""

    model: Version
    as_of: str | None = Field(description="last day of the training data", examples=["2026-11-21"])
    window: dict[str, Any]
    counts: dict[str, Any]
    verdict: dict[str, Any] = Field(description="the gate's verdict and its reasons")
    latency: Speed


class Department(Shape):
    """A category, and the number of its products."""

    category: str = Field(examples=["Kitchen"])
    products: int = Field(examples=[120])


class Categories(Shape):
    """The categories of the catalogue."""

    model: Version
    items: list[Department]


class Shopper(Shape):
    """An example customer: what was recommended at the cut, and what the customer bought after it."""

    kind: str = Field(examples=["loyal"])
    customer: str = Field(description="pseudonym, accepted in place of an id", examples=["pseudonym:00ff"])
    days: int = Field(description="days with purchases before the cut", examples=[11])
    units: float = Field(description="mean number of units on a day with purchases", examples=[4.5])
    last_day: str = Field(description="day of the last purchase before the cut", examples=["2026-10-20"])
    category: str | None = Field(description="category with most purchases", examples=["Kitchen"])
    share: float = Field(description="share of the purchases that are in this category", examples=[0.82])
    planted: list[str] = Field(
        description="categories that the demo shop made the customer prefer", examples=[["Kitchen"]]
    )
    recommended: list[Card]
    bought: list[Card]


class Shoppers(Shape):
    """Example customers, and the test window that followed the cut."""

    model: Version
    cut: str | None = Field(
        description="last day of the data that the recommendations were made from", examples=["2026-10-24"]
    )
    until: str | None = Field(description="last day of the test window", examples=["2026-11-21"])
    popular: list[Card] = Field(description="the most popular products at the cut")
    shoppers: list[Shopper]
