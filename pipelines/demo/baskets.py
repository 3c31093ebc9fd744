"""Who orders on a day, and what is in the baskets."""

import datetime as dt

import numpy as np

from pipelines.demo.catalogue import CLUSTERS
from pipelines.demo.truth import JITTER, LOYALTY, TASTE, Floats, Ints, Truth, season

EXTRAS = 1.6  # mean of further discoveries in a basket
NEVER = -1

Random = np.random.Generator
Lines = tuple[Ints, Ints]  # the place of the order in its day, and the product


class Baskets:
    """Fills one day after the other, and remembers who will need what again on which day."""

    def __init__(self, truth: Truth) -> None:
        """Starts with customers who need nothing yet."""
        self.truth = truth
        # Of all customers times products few are due, so that a large shop fits into memory.
        self._due = np.empty(0, np.int64)  # customer * products + product, ascending
        self._due_on = np.empty(0, np.int64)  # the day of each

    def fill(self, rng: Random, day: int, date: dt.date, orders: int) -> tuple[Ints, Ints, Ints]:
        """The customer of every order of the next day; then place of the order and product of every line."""
        weight = self.truth.popularity * season(date)[self.truth.cluster] * self.truth.on_sale(day)
        again = np.stack(np.divmod(self._due[self._due_on == day], len(weight)), axis=1)
        again = again[weight[again[:, 1]] > 0]
        customers = _visitors(rng, self.truth.activity, again[:, 0], orders)
        repeats = _repeats(again, customers, len(self.truth.activity))
        discoveries = _discoveries(rng, self.truth, customers, repeats[0], weight)
        lines = _distinct(repeats, discoveries, len(weight))
        order, products = _distinct(lines, _companions(rng, self.truth, lines), len(weight))
        self._expect(rng, day, customers[order], products)
        return customers, order, products

    def _expect(self, rng: Random, day: int, customers: Ints, products: Ints) -> None:
        """Notes when each purchase of the day will be due again."""
        cycle = self.truth.cycles[products]
        again = (cycle > 0) & (rng.random(len(products)) < LOYALTY)
        off = rng.integers(-JITTER, JITTER, len(products), endpoint=True)
        bought = customers * len(self.truth.cluster) + products
        still = (self._due_on > day) & ~np.isin(self._due, bought)
        due = np.concatenate([self._due[still], bought[again]])
        due_on = np.concatenate([self._due_on[still], (day + cycle + off)[again]])
        order = np.argsort(due)
        self._due, self._due_on = due[order], due_on[order]


def _visitors(rng: Random, activity: Floats, awaited: Ints, orders: int) -> Ints:
    """Distinct customers: those who need something again, then others by their activity."""
    arrival = rng.exponential(size=len(activity)) / activity
    arrival[awaited] = 0
    return rng.permutation(np.argsort(arrival, kind="stable")[:orders])


def _repeats(again: Ints, customers: Ints, population: int) -> Lines:
    """The lines of those who need something again; `again` holds rows of customer and product."""
    place = np.full(population, NEVER)
    place[customers] = np.arange(len(customers))
    here = place[again[:, 0]] != NEVER
    return place[again[here, 0]], again[here, 1]


def _discoveries(rng: Random, truth: Truth, customers: Ints, repeated: Ints, weight: Floats) -> Lines:
    """Lines by taste and popularity: at least one where nothing is bought again."""
    empty = np.bincount(repeated, minlength=len(customers)) == 0
    order = np.repeat(np.arange(len(customers)), empty + rng.poisson(EXTRAS, len(customers)))
    edges = np.searchsorted(truth.cluster, np.arange(CLUSTERS + 1))
    heap = np.concatenate([[0.0], np.cumsum(weight)])
    favourite = _favourite(rng, truth.favourites[customers[order]], np.diff(heap[edges]))
    by_taste = rng.random(len(order)) < TASTE
    low = np.where(by_taste, heap[edges[favourite]], 0.0)
    high = np.where(by_taste, heap[edges[favourite + 1]], heap[-1])
    found = np.searchsorted(heap, rng.uniform(low, high), side="right") - 1
    return order, np.minimum(found, len(weight) - 1)


def _favourite(rng: Random, favourites: Ints, sales: Floats) -> Ints:
    """One of each row's favourite clusters, by how well they sell today."""
    share = np.cumsum(np.where(favourites >= 0, sales[favourites], 0.0), axis=1)
    column = (share <= rng.random((len(share), 1)) * share[:, -1:]).sum(axis=1, keepdims=True)
    return np.take_along_axis(favourites, column, axis=1)[:, 0]


def _companions(rng: Random, truth: Truth, lines: Lines) -> Lines:
    """The lines that planted complements add to these."""
    order, products = lines
    partner, probability = np.zeros(len(truth.cluster), int), np.zeros(len(truth.cluster))
    for pair in truth.complements:
        partner[pair.a], probability[pair.a] = pair.b, pair.probability
    added = rng.random(len(products)) < probability[products]
    return order[added], partner[products[added]]


def _distinct(some: Lines, more: Lines, products: int) -> Lines:
    """All lines, a product once per order, ascending by order and product."""
    keys = [order * products + product for order, product in (some, more)]
    order, product = np.divmod(np.unique(np.concatenate(keys)), products)
    return order, product
