"""The few products that an answer is picked from: those that a component scores highest, and no others.

What is on a list is scored as `recommender.scores` does it for all products; tests hold both together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.bundle.highest import Standing
from serving.recommend.ranker import behind, ranked_each


@dataclass(frozen=True)
class Shortlist:
    """m products with their scores, among them the highest so many of all that are wanted."""

    products: Array  # (m,) rows of the bundle, ascending, so that equals go by their place here as there
    values: Array  # (m,) float32

    @classmethod
    def of(cls, products: Array, values: Array) -> "Shortlist":
        """A list of products in any order."""
        order = np.argsort(products)
        return cls(products[order].astype(np.int64), values[order])

    def above(self, floor: float) -> "Shortlist":
        """The products that score more."""
        return self.at(self.values > floor)

    def at(self, places: Array) -> "Shortlist":
        """The products of some places."""
        return Shortlist(self.products[places], self.values[places])


# The n products at least that score highest of the wanted ones, (P,) bool; fewer where no more are wanted.
Source = Callable[[int, Array], Shortlist]


def shortlists(bundle: Bundle, customers: Array, component: str) -> list[Source]:
    """For each of n customers the source of the products that a component scores highest.

    What is asked of all of them is worked out for all of them at once.
    """
    if component == "ranker":
        return [partial(_by_ranker, bundle, *ranked) for ranked in ranked_each(bundle, customers)]
    return [partial(SOURCES[component], bundle, customer) for customer in customers.tolist()]


def _by_taste(bundle: Bundle, customer: int, n: int, wanted: Array) -> Shortlist:
    return Shortlist.of(*bundle.taste.highest(bundle.user_factors[customer], n, wanted))


def _by_purchases(bundle: Bundle, customer: int, n: int, wanted: Array) -> Shortlist:
    own = bundle.history_of(customer)
    return _before_trend(bundle, bundle.history_product[own], bundle.history_strength[own], n, wanted)


def standing(values: Standing, n: int, wanted: Array) -> Shortlist:
    """The n products at most whose values, the same for everyone, are highest."""
    products = values.first(n, wanted)
    return Shortlist.of(products, values.values[products].astype(np.float32, copy=False))


def trend(bundle: Bundle, group: int | None, n: int, wanted: Array) -> Shortlist:
    """The n products that trend most, or at least so many in a group before the overall trend."""
    found = standing(bundle.by_trend, n, wanted) if group is None else of_group(bundle, group, n, wanted)
    return found.above(0)


def of_group(bundle: Bundle, group: int, n: int, wanted: Array) -> Shortlist:
    """The n products at least that trend most in a group, and behind them overall."""
    rows = slice(int(bundle.group_start[group]), int(bundle.group_start[group + 1]))
    return _before_trend(bundle, bundle.group_product[rows], bundle.group_trend[rows], n, wanted)


def _before_trend(bundle: Bundle, products: Array, strength: Array, n: int, wanted: Array) -> Shortlist:
    """Some products by their strength, (m,) each, and behind them the others by trend."""
    kept = wanted[products]
    products, strength = products[kept], strength[kept]
    rest = bundle.by_trend.first(n + len(products), wanted)
    rest = rest[~np.isin(rest, products)]
    added = np.concatenate([strength, np.zeros(len(rest), np.float32)])
    together = np.concatenate([products, rest])
    return Shortlist.of(together, bundle.trend[together] * bundle.behind + added)


def _by_ranker(bundle: Bundle, products: Array, values: Array, n: int, wanted: Array) -> Shortlist:
    kept = wanted[products]
    rest = np.empty(0, np.int32)
    if np.count_nonzero(kept) < n:
        rest = bundle.by_popularity.first(n + len(products), wanted)
        rest = rest[~np.isin(rest, products)]
    together = np.concatenate([products[kept], rest])
    return Shortlist.of(together, np.concatenate([values[kept], behind(bundle, rest)]))


SOURCES: dict[str, Callable[[Bundle, int, int, Array], Shortlist]] = {
    "popularity": lambda bundle, _, n, wanted: standing(bundle.by_popularity, n, wanted),
    "trend": lambda bundle, _, n, wanted: standing(bundle.by_trend, n, wanted),
    "repurchase": _by_purchases,
    "als": _by_taste,
}
