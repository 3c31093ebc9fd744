"""Finds the products that a component scores highest, without scoring the whole catalogue.

The scores are those that `recommender.scores` computes for all products; tests compare the two.
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
    """m products with their scores. They include the products with the highest scores."""

    products: Array  # (m,) int64, rows of the bundle, ascending, so that ties are ordered by row
    values: Array  # (m,) float32, scores

    @classmethod
    def of(cls, products: Array, values: Array) -> "Shortlist":
        """Builds a shortlist from products in any order and their scores, (m,) each."""
        order = np.argsort(products)
        return cls(products[order].astype(np.int64), values[order])

    def above(self, floor: float) -> "Shortlist":
        """Returns the products with a score above the floor."""
        return self.take(self.values > floor)

    def take(self, indices: Array) -> "Shortlist":
        """Returns the products at the given indices, or where a mask is True."""
        return Shortlist(self.products[indices], self.values[indices])


# Takes a number n and the wanted products, (P,) bool; returns at least the n of them with the highest scores,
# or all of them if there are fewer.
ShortlistSource = Callable[[int, Array], Shortlist]


def shortlists(bundle: Bundle, customers: Array, component: str) -> list[ShortlistSource]:
    """Returns for each of n customers the source of the products that a component scores highest.

    The ranker scores all customers at once. customers: (n,) rows of the bundle.
    """
    if component == "ranker":
        return [partial(_by_ranker, bundle, *ranked) for ranked in candidates_per_customer(bundle, customers)]
    return [partial(SOURCES[component], bundle, customer) for customer in customers.tolist()]


def _by_taste(bundle: Bundle, customer: int, n: int, wanted: Array) -> Shortlist:
    return Shortlist.of(*bundle.taste_index.highest(bundle.user_factors[customer], n, wanted))


def _by_purchases(bundle: Bundle, customer: int, n: int, wanted: Array) -> Shortlist:
    own = bundle.history_rows(customer)
    return _before_trend(bundle, bundle.history_product[own], bundle.history_strength[own], n, wanted)


def shortlist_of_sorted(scores: SortedScores, n: int, wanted: Array) -> Shortlist:
    """Returns the n wanted products with the highest of scores that are the same for every customer.

    wanted: (P,) bool.
    """
    products = scores.highest(n, wanted)
    return Shortlist.of(products, scores.values[products].astype(np.float32, copy=False))


def trend_shortlist(bundle: Bundle, group: int | None, n: int, wanted: Array) -> Shortlist:
    """Returns the n wanted products that trend most, overall or in a region before the overall trend.

    group: the region's row; None for the overall trend. wanted: (P,) bool.
    """
    if group is None:
        return shortlist_of_sorted(bundle.by_trend, n, wanted).above(0)
    return region_shortlist(bundle, group, n, wanted).above(0)


def region_shortlist(bundle: Bundle, group: int, n: int, wanted: Array) -> Shortlist:
    """Returns at least the n wanted products that trend most in a region, and behind them overall."""
    rows = slice(int(bundle.group_start[group]), int(bundle.group_start[group + 1]))
    return _before_trend(bundle, bundle.group_product[rows], bundle.group_trend[rows], n, wanted)


def _before_trend(bundle: Bundle, products: Array, strength: Array, n: int, wanted: Array) -> Shortlist:
    """Returns the given products by their strength, (m,) each, and behind them n others by trend."""
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
