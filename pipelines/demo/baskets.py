"""Simulates which customers order on a day, and what their baskets contain."""

import datetime as dt

import numpy as np

from pipelines.demo.catalogue import CLUSTERS
from pipelines.demo.truth import JITTER, LOYALTY, TASTE, Floats, Ints, Truth, season

EXTRAS = 1.6  # mean number of additional discoveries in a basket
NO_ORDER = -1

Random = np.random.Generator
Lines = tuple[Ints, Ints]  # per line: the index of its order within the day, and its product


class Baskets:
    """Simulates day after day, and remembers which purchases will be repeated on which day."""

    def __init__(self, truth: Truth) -> None:
        """Starts without any purchase to repeat."""
        self.truth = truth
        # Sparse, because few of all pairs of customer and product are due, so a large shop fits into memory.
        self._due = np.empty(0, np.int64)  # customer * products + product, ascending
        self._due_on = np.empty(0, np.int64)  # the day of each

    def fill(self, rng: Random, day: int, date: dt.date, orders: int) -> tuple[Ints, Ints, Ints]:
        """Simulates the next day.

        day: the day's number. Returns int64 arrays: the customer of each order, (orders,), and the index of
        the order and the product of each line, (lines,), ascending.
        """
        weight = self.truth.popularity * season(date)[self.truth.cluster] * self.truth.on_sale(day)
        due = np.stack(np.divmod(self._due[self._due_on == day], len(weight)), axis=1)
        due = due[weight[due[:, 1]] > 0]
        customers = _visitors(rng, self.truth.activity, due[:, 0], orders)
        repeats = _repeats(due, customers, len(self.truth.activity))
        discoveries = _discoveries(rng, self.truth, customers, repeats[0], weight)
        lines = _distinct(repeats, discoveries, len(weight))
        order, products = _distinct(lines, _companions(rng, self.truth, lines), len(weight))
        self._expect(rng, day, customers[order], products)
        return customers, order, products

    def _expect(self, rng: Random, day: int, customers: Ints, products: Ints) -> None:
        """Draws which of the day's purchases will be repeated, and when."""
        cycle = self.truth.cycles[products]
        is_repeated = (cycle > 0) & (rng.random(len(products)) < LOYALTY)
        jitter = rng.integers(-JITTER, JITTER, len(products), endpoint=True)
        bought = customers * len(self.truth.cluster) + products
        is_kept = (self._due_on > day) & ~np.isin(self._due, bought)
        due = np.concatenate([self._due[is_kept], bought[is_repeated]])
        due_on = np.concatenate([self._due_on[is_kept], (day + cycle + jitter)[is_repeated]])
        order = np.argsort(due)
        self._due, self._due_on = due[order], due_on[order]


def _visitors(rng: Random, activity: Floats, with_due: Ints, orders: int) -> Ints:
    """Distinct customers in random order: first those with a purchase due, then others by their activity."""
    arrival = rng.exponential(size=len(activity)) / activity
    arrival[with_due] = 0
    return rng.permutation(np.argsort(arrival, kind="stable")[:orders])


def _repeats(due: Ints, customers: Ints, population: int) -> Lines:
    """The lines of due purchases; due: (n, 2) customers and products; population: number of customers."""
    order_of = np.full(population, NO_ORDER)
    order_of[customers] = np.arange(len(customers))
    orders_today = order_of[due[:, 0]] != NO_ORDER
    return order_of[due[orders_today, 0]], due[orders_today, 1]


def _discoveries(rng: Random, truth: Truth, customers: Ints, repeated: Ints, weight: Floats) -> Lines:
    """Lines drawn by taste and popularity, at least one in each order without a due purchase.

    Within the drawn interval of the cumulated weights, a product is chosen by inverse transform sampling.
    """
    empty = np.bincount(repeated, minlength=len(customers)) == 0
    order = np.repeat(np.arange(len(customers)), empty + rng.poisson(EXTRAS, len(customers)))
    edges = np.searchsorted(truth.cluster, np.arange(CLUSTERS + 1))
    cumulated = np.concatenate([[0.0], np.cumsum(weight)])
    favourite = _favourite(rng, truth.favourites[customers[order]], np.diff(cumulated[edges]))
    by_taste = rng.random(len(order)) < TASTE
    low = np.where(by_taste, cumulated[edges[favourite]], 0.0)
    high = np.where(by_taste, cumulated[edges[favourite + 1]], cumulated[-1])
    product = np.searchsorted(cumulated, rng.uniform(low, high), side="right") - 1
    return order, np.minimum(product, len(weight) - 1)


def _favourite(rng: Random, favourites: Ints, sales: Floats) -> Ints:
    """Draws one of each row's favourite clusters, in proportion to their sales today; ignores -1."""
    share = np.cumsum(np.where(favourites >= 0, sales[favourites], 0.0), axis=1)
    column = (share <= rng.random((len(share), 1)) * share[:, -1:]).sum(axis=1, keepdims=True)
    return np.take_along_axis(favourites, column, axis=1)[:, 0]


def _companions(rng: Random, truth: Truth, lines: Lines) -> Lines:
    """The lines that the planted complements add to these lines."""
    order, products = lines
    partner, probability = np.zeros(len(truth.cluster), int), np.zeros(len(truth.cluster))
    for pair in truth.complements:
        partner[pair.a], probability[pair.a] = pair.b, pair.probability
    added = rng.random(len(products)) < probability[products]
    return order[added], partner[products[added]]


def _distinct(first: Lines, second: Lines, products: int) -> Lines:
    """The union of both, each product once per order, sorted by order and product."""
    keys = [order * products + product for order, product in (first, second)]
    order, product = np.divmod(np.unique(np.concatenate(keys)), products)
    return order, product
