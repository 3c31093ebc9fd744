"""What the demo shop's API shows on a day: the orders up to yesterday, and the goods on the shelf."""

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
    """An article as it is listed."""

    id: str
    name: str
    category: str
    brand: str
    price: float
    inStock: bool


class OrderFeed:
    """The listed orders as JSON, one text per order; a day is simulated when it is first asked for.

    On quiet days (numbers, 0 is the first) nothing is listed; all other days are as without them.
    """

    def __init__(self, shop: Shop, dirt: Dirt, quiet_days: frozenset[int]) -> None:
        """Starts before the shop's first day."""
        self._days = shop.days()
        self._dirt, self._quiet_days = dirt, quiet_days
        self._orders: list[bytes] = []
        self._times: list[float] = []  # POSIX
        self._ends = [0]

    def count(self, days: int) -> int:
        """How many orders are listed after this many days."""
        while len(self._ends) <= days:
            day = next(self._days)
            orders = [] if day.number in self._quiet_days else self._dirt.listing(day).orders
            self._orders += [json.dumps(order).encode() for order in orders]
            self._times += [dt.datetime.fromisoformat(order["createdAt"]).timestamp() for order in orders]
            self._ends.append(len(self._orders))
        return self._ends[max(days, 0)]

    def since(self, instant: dt.datetime, count: int) -> Sequence[int]:
        """Which of the first `count` orders were created at or after an instant that has a time zone."""
        time = instant.timestamp()
        # Days ascend, though within a day a repetition stands later than its time.
        first = bisect_left(self._times, time // DAY_SECONDS * DAY_SECONDS, hi=count)
        return [place for place in range(first, count) if self._times[place] >= time]

    def json(self, places: Sequence[int], basket: bool) -> bytes:
        """The orders at these places as a JSON array, with or without their baskets."""
        orders = [self._orders[place] for place in places]
        return b"[" + b", ".join(orders if basket else map(_without_basket, orders)) + b"]"


def _without_basket(order: bytes) -> bytes:
    # The basket comes last, and no text before it is free to hold its key.
    return order.partition(BASKET)[0] + b"}"


class GoodsShelf:
    """The goods that the API knows: those launched by a day, less the missing ones."""

    def __init__(self, shop: Shop, dirt: Dirt) -> None:
        """Takes the catalogue's products apart from the missing goods."""
        self._products = [(i, p) for i, p in enumerate(shop.catalogue) if i not in dirt.missing_goods]
        self._first_day = shop.truth.first_day.tolist()
        self._last_day = shop.truth.last_day.tolist()

    def on(self, day: int) -> list[Goods]:
        """All goods on a day; one that is no longer sold is out of stock."""
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
