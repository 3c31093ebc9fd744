"""What the demo shop's API shows on a day: the orders up to yesterday, and the goods on the shelf."""

import json
from typing import TypedDict

from pipelines.demo.catalogue import Product
from pipelines.demo.dirt import Dirt
from pipelines.demo.shop import Shop

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
    """The listed orders as JSON, one text per order; a day is simulated when it is first asked for."""

    def __init__(self, shop: Shop, dirt: Dirt) -> None:
        """Starts before the shop's first day."""
        self._days = shop.days()
        self._dirt = dirt
        self._orders: list[bytes] = []
        self._ends = [0]

    def count(self, days: int) -> int:
        """How many orders are listed after this many days."""
        while len(self._ends) <= days:
            listing = self._dirt.listing(next(self._days))
            self._orders += [json.dumps(order).encode() for order in listing.orders]
            self._ends.append(len(self._orders))
        return self._ends[max(days, 0)]

    def slice(self, start: int, stop: int, basket: bool) -> bytes:
        """The orders at these positions as a JSON array, with or without their baskets."""
        orders = self._orders[start:stop]
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
