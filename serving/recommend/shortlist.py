"""The few products that an answer is picked from: those that a component scores highest, and no others.

What is on a list is scored as `recommender.scores` does it for all products; tests hold both together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.bundle.highest import SortedScores
from serving.recommend.ranker import candidates_per_customer, fallback_scores


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
        return self.take(self.values > floor)

    def take(self, places: Array) -> "Shortlist":
        """The products of some places."""
        return Shortlist(self.products[places], self.values[places])


# The n products at least that score highest of the wanted ones, (P,) bool; fewer where no more are wanted.
ShortlistSource = Callable[[int, Array], Shortlist]


def shortlists(bundle: Bundle, customers: Array, component: str) -> list[ShortlistSource]:
    """For each of n customers the source of the products that a component scores highest.

    What is asked of all of them is worked out for all of them at once.
    """
    if component == "ranker":
        return [partial(_by_ranker, bundle, *ranked) for ranked in candidates_per_customer(bundle, customers)]
    return [partial(SOURCES[component], bundle, customer) for customer in customers.tolist()]


def _by_taste(bundle: Bundle, customer: int, n: int, wanted: Array) -> Shortlist:
    return Shortlist.of(*bundle.taste_index.highest(bundle.user_factors[customer], n, wanted))


def _by_purchases(bundle: Bundle, customer: int, n: int, wanted: Array) -> Shortlist:
    own = bundle.history_rows(customer)
    return _before_trend(bundle, bundle.history_product[own], bundle.history_strength[own], n, wanted)


def shortlist_of_sorted(values: SortedScores, n: int, wanted: Array) -> Shortlist:
    """The n products at most whose values, the same for everyone, are highest."""
    products = values.highest(n, wanted)
    return Shortlist.of(products, values.values[products].astype(np.float32, copy=False))


def trend_shortlist(bundle: Bundle, group: int | None, n: int, wanted: Array) -> Shortlist:
    """The n products that trend most, or at least so many in a group before the overall trend."""
    found = (
        shortlist_of_sorted(bundle.by_trend, n, wanted)
        if group is None
        else region_shortlist(bundle, group, n, wanted)
    )
    return found.above(0)


def region_shortlist(bundle: Bundle, group: int, n: int, wanted: Array) -> Shortlist:
    """The n products at least that trend most in a group, and behind them overall."""
    rows = slice(int(bundle.group_start[group]), int(bundle.group_start[group + 1]))
    return _before_trend(bundle, bundle.group_product[rows], bundle.group_trend[rows], n, wanted)


def _before_trend(bundle: Bundle, products: Array, strength: Array, n: int, wanted: Array) -> Shortlist:
    """Some products by their strength, (m,) each, and behind them the others by trend."""
    kept = wanted[products]
    products, strength = products[kept], strength[kept]
    rest = bundle.by_trend.highest(n + len(products), wanted)
    rest = rest[~np.isin(rest, products)]
    added = np.concatenate([strength, np.zeros(len(rest), np.float32)])
    together = np.concatenate([products, rest])
    return Shortlist.of(together, bundle.trend[together] * bundle.fallback_scale + added)


def _by_ranker(bundle: Bundle, products: Array, values: Array, n: int, wanted: Array) -> Shortlist:
    kept = wanted[products]
    rest = np.empty(0, np.int32)
    if np.count_nonzero(kept) < n:
        rest = bundle.by_popularity.highest(n + len(products), wanted)
        rest = rest[~np.isin(rest, products)]
    together = np.concatenate([products[kept], rest])
    return Shortlist.of(together, np.concatenate([values[kept], fallback_scores(bundle, rest)]))


SOURCES: dict[str, Callable[[Bundle, int, int, Array], Shortlist]] = {
    "popularity": lambda bundle, _, n, wanted: shortlist_of_sorted(bundle.by_popularity, n, wanted),
    "trend": lambda bundle, _, n, wanted: shortlist_of_sorted(bundle.by_trend, n, wanted),
    "repurchase": _by_purchases,
    "als": _by_taste,
}
