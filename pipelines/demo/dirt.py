"""The clean orders as the shop's API lists them: with the data errors of real shops."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from pipelines.demo.chance import Stream, generator
from pipelines.demo.regions import regions
from pipelines.demo.shop import Day, Shop

DUPLICATES = 0.005  # share of orders listed a second time
PLACEHOLDERS = 0.003  # share of orders with a placeholder as phone number
ANONYMOUS = 0.002  # share of orders without a phone number
EMPTY_LINES = 0.001  # share of lines with quantity 0
MISSING_GOODS = 0.005  # share of products that orders contain and the list of goods lacks

PLACEHOLDER_PHONES = ("+7 (123) 456-7890", "+7 (777) 777-7777", "11111111111")
PHONE_SHAPES = ("+7({}){}-{}", "+7 ({}) {}-{}", "7{}{}{}")
SHAPE_SHARES = np.array([4762, 91516, 3422]) / 99700
SUBSCRIBERS = 10**9

Random = np.random.Generator
Mask = NDArray[np.bool_]


class Line(TypedDict):
    """A line of a basket, as the API lists it."""

    goodsId: str
    quantity: int
    price: float


class Order(TypedDict):
    """An order, as the API lists it; the basket must be the last field."""

    id: int
    createdAt: str
    clientTel: str | None
    region: str
    basket: list[Line]


@dataclass(frozen=True)
class Spoiled:
    """Masks of a day's faulty orders and lines; no order has both a placeholder and no phone number."""

    placeholder: Mask  # one per order
    anonymous: Mask  # one per order
    empty: Mask  # one per line


@dataclass(frozen=True)
class Listing:
    """A day's orders as listed, ascending by time except for duplicates, and the number of errors in them.

    duplicates: entries that repeat an earlier entry. placeholders, anonymous: orders with a placeholder or
    null as phone number; empty_lines: lines with quantity 0; these three don't count duplicates.
    """

    orders: list[Order]
    duplicates: int
    placeholders: int
    anonymous: int
    empty_lines: int


@dataclass(frozen=True)
class Dirt:
    """Adds the errors of real shops to the simulated orders, as the API lists them."""

    shop: Shop

    @cached_property
    def phones(self) -> list[str]:
        """Each customer's phone number: 79 and nine random digits."""
        rng = generator(self.shop.seed, Stream.PHONES)
        numbers = rng.choice(SUBSCRIBERS, self.shop.customers, replace=False)
        return [f"79{number:09d}" for number in numbers]

    @cached_property
    def regions(self) -> list[str]:
        """Each customer's region."""
        return regions(self.shop.truth, self.shop.seed)

    @cached_property
    def missing_goods(self) -> frozenset[int]:
        """The indices of the products that the list of goods lacks, none of them part of a complement."""
        rng = generator(self.shop.seed, Stream.GOODS)
        paired = [end for pair in self.shop.truth.complements for end in (pair.a, pair.b)]
        others = np.setdiff1d(np.arange(self.shop.products), paired)
        return frozenset(
            rng.choice(others, round(MISSING_GOODS * self.shop.products), replace=False).tolist()
        )

    def listing(self, day: Day) -> Listing:
        """The day as the API lists it, always the same for the same day."""
        rng = generator(self.shop.seed, Stream.DIRT, day.number)
        spoiled = self.spoiled(rng, day)
        phones = self._phones(rng, day, spoiled)
        regions = [self.regions[customer] for customer in day.customers]
        orders = _orders(day, phones, regions, self._lines(day, spoiled.empty))
        sequence = _with_duplicates(rng, len(orders))
        return Listing(
            orders=[orders[index] for index in sequence],
            duplicates=len(sequence) - len(orders),
            placeholders=int(spoiled.placeholder.sum()),
            anonymous=int(spoiled.anonymous.sum()),
            empty_lines=int(spoiled.empty.sum()),
        )

    def spoiled(self, rng: Random, day: Day) -> Spoiled:
        """The day's faulty orders and lines, drawn with the first numbers of its stream DIRT."""
        masks = _exclusive(rng, len(day.ids), PLACEHOLDERS, ANONYMOUS)
        return Spoiled(*masks, empty=rng.random(len(day.order)) < EMPTY_LINES)

    def _phones(self, rng: Random, day: Day, spoiled: Spoiled) -> list[str | None]:
        shapes = rng.choice(len(PHONE_SHAPES), len(day.ids), p=SHAPE_SHARES)
        phones: list[str | None] = [
            _shaped(self.phones[customer], PHONE_SHAPES[shape])
            for customer, shape in zip(day.customers.tolist(), shapes.tolist(), strict=True)
        ]
        for index in np.flatnonzero(spoiled.placeholder):
            phones[index] = str(rng.choice(PLACEHOLDER_PHONES))
        for index in np.flatnonzero(spoiled.anonymous):
            phones[index] = None
        return phones

    def _lines(self, day: Day, empty: Mask) -> list[Line]:
        ids = [product.id for product in self.shop.catalogue]
        quantities = np.where(empty, 0, day.quantities)
        columns = day.products.tolist(), quantities.tolist(), day.prices.tolist()
        return [
            Line(goodsId=ids[product], quantity=quantity, price=price)
            for product, quantity, price in zip(*columns, strict=True)
        ]


def _orders(day: Day, phones: list[str | None], regions: list[str], lines: list[Line]) -> list[Order]:
    ends = np.searchsorted(day.order, np.arange(len(day.ids) + 1)).tolist()
    times = np.datetime_as_string(day.times).tolist()
    return [
        Order(id=id_, createdAt=f"{time}Z", clientTel=phone, region=region, basket=lines[start:end])
        for id_, time, phone, region, start, end in zip(
            day.ids.tolist(), times, phones, regions, ends[:-1], ends[1:], strict=True
        )
    ]


def _shaped(phone: str, shape: str) -> str:
    """The number in a format: +7 (905) 545-5709, +7(916)539-6205 or 79153706507."""
    return shape.format(phone[1:4], phone[4:7], phone[7:])


def _exclusive(rng: Random, size: int, first: float, second: float) -> tuple[Mask, Mask]:
    """Two disjoint random masks with these shares."""
    draw = rng.random(size)
    return draw < first, (draw >= first) & (draw < first + second)


def _with_duplicates(rng: Random, size: int) -> list[int]:
    """The indices 0..size-1 in order, some of them a second time at a later position."""
    repeated = np.flatnonzero(rng.random(size) < DUPLICATES)
    positions = np.concatenate([np.arange(size, dtype=float), rng.uniform(repeated, size)])
    sequence: list[int] = np.concatenate([np.arange(size), repeated])[
        np.argsort(positions, kind="stable")
    ].tolist()
    return sequence
