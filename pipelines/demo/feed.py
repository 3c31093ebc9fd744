"""The data behind the demo shop's API on a day: the listed orders and the goods."""

import datetime as dt
import json
from bisect import bisect_left
from collections.abc import Sequence
from typing import TypedDict

from pipelines.demo.catalogue import Product
from pipelines.demo.dirt import Dirt
from pipelines.demo.shop import DAY_SECONDS, Shop

BASKET = b', "basket": '


class Goods(TypedDict):
    """A product, as the API lists it."""

    id: str
    name: str
    category: str
    brand: str
    price: float
    inStock: bool


class OrderFeed:
    """The listed orders as JSON, one text per order; a day is simulated when it is first needed.

    quiet_days: numbers of days (from 0) without orders; all other days stay the same.
    """

    def __init__(self, shop: Shop, dirt: Dirt, quiet_days: frozenset[int]) -> None:
        """Starts without any simulated day."""
        self._days = shop.days()
        self._dirt, self._quiet_days = dirt, quiet_days
        self._orders: list[bytes] = []
        self._times: list[float] = []  # POSIX timestamps
        self._ends = [0]

    def count(self, days: int) -> int:
        """The number of orders in the first `days` days."""
        while len(self._ends) <= days:
            day = next(self._days)
            orders = [] if day.number in self._quiet_days else self._dirt.listing(day).orders
            self._orders += [json.dumps(order).encode() for order in orders]
            self._times += [dt.datetime.fromisoformat(order["createdAt"]).timestamp() for order in orders]
            self._ends.append(len(self._orders))
        return self._ends[max(days, 0)]

    def since(self, instant: dt.datetime, count: int) -> Sequence[int]:
        """The indices of those of the first `count` orders that were created at or after an instant."""
        time = instant.timestamp()
        # The days ascend; within a day a duplicate is listed later than its time.
        first = bisect_left(self._times, time // DAY_SECONDS * DAY_SECONDS, hi=count)
        return [index for index in range(first, count) if self._times[index] >= time]

    def json(self, indices: Sequence[int], basket: bool) -> bytes:
        """The orders at these indices as a JSON array, with or without their baskets."""
        orders = [self._orders[index] for index in indices]
        return b"[" + b", ".join(orders if basket else map(_without_basket, orders)) + b"]"


def _without_basket(order: bytes) -> bytes:
    # The basket is the last field, and no value before it can contain its key.
    return order.partition(BASKET)[0] + b"}"


class GoodsShelf:
    """The goods that the API lists: the launched products, except those that are missing on purpose."""

    def __init__(self, shop: Shop, dirt: Dirt) -> None:
        """Reads the catalogue, without the missing goods."""
        self._products = [(i, p) for i, p in enumerate(shop.catalogue) if i not in dirt.missing_goods]
        self._first_day = shop.truth.first_day.tolist()
        self._last_day = shop.truth.last_day.tolist()

    def on(self, day: int) -> list[Goods]:
        """All goods on a day; a delisted product is out of stock."""
        return [
            _goods(product, in_stock=day <= self._last_day[index])
            for index, product in self._products
            if self._first_day[index] <= max(day, 0)
        ]


def _goods(product: Product, in_stock: bool) -> Goods:
    return Goods(
        id=product.id,
        name=product.name,
        category=product.category,
        brand=product.brand,
        price=product.price,
        inStock=in_stock,
    )
