"""A simulated web shop: the seed, the parameters and the previous days determine a day's orders."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import numpy as np
from numpy.typing import NDArray

from pipelines.demo.baskets import Baskets
from pipelines.demo.catalogue import Product, catalogue
from pipelines.demo.chance import Stream, generator
from pipelines.demo.truth import Floats, Ints, Truth, plant

FIRST_ORDER = 100001
DAY_SECONDS = 24 * 3600
QUANTITIES = (0.8, 0.15, 0.05)  # shares of 1, 2 and 3 pieces
WEEKDAYS = (0.9, 0.88, 0.92, 0.95, 1.05, 1.2, 1.1)  # Monday first


@dataclass(frozen=True)
class Day:
    """A day's clean orders, ascending by time, and their lines, ascending by order.

    ids, times (UTC, whole seconds) and customers have one entry per order; order (the index of the line's
    order), products, quantities and prices have one entry per line.
    """

    number: int
    ids: Ints
    times: NDArray[np.datetime64]
    customers: Ints
    order: Ints
    products: Ints
    quantities: Ints
    prices: Floats


@dataclass(frozen=True)
class Shop:
    """The shop's parameters, its catalogue and its ground truth; products: at least 200."""

    start: dt.date
    seed: int = 7
    customers: int = 5000
    products: int = 1000
    orders_per_day: int = 1000

    @cached_property
    def catalogue(self) -> tuple[Product, ...]:
        """The products, by product index."""
        return catalogue(self.products, self.seed)

    @cached_property
    def truth(self) -> Truth:
        """The ground truth that is planted in the orders."""
        return plant(self.catalogue, self.customers, self.seed)

    def days(self) -> Iterator[Day]:
        """Every day from the first on, without end."""
        baskets = Baskets(self.truth)
        prices = np.array([product.price for product in self.catalogue])
        first_id = FIRST_ORDER
        for number in count():
            date = self.start + dt.timedelta(days=number)
            rng = generator(self.seed, Stream.ORDERS, number)
            orders = round(self.orders_per_day * WEEKDAYS[date.weekday()] * rng.normal(1, 0.03))
            customers, order, products = baskets.fill(rng, number, date, orders)
            yield Day(
                number=number,
                ids=first_id + np.arange(len(customers)),
                times=_times(rng, date, len(customers)),
                customers=customers,
                order=order,
                products=products,
                quantities=1 + rng.choice(len(QUANTITIES), len(order), p=QUANTITIES),
                prices=prices[products],
            )
            first_id += len(customers)


def _times(rng: np.random.Generator, date: dt.date, size: int) -> NDArray[np.datetime64]:
    """Ascending times of a day, most of them in the afternoon."""
    seconds = np.sort(rng.beta(4, 3, size) * DAY_SECONDS).astype("timedelta64[s]")
    return np.datetime64(date, "s") + seconds
