"""Re-ranks scored products by the value of a sale, by what was shown before, and by category.

Components score on scales of their own, partly below zero, so re-ranking uses ranks and never the height of
a score. A product's gain is the gain of its rank in NDCG, 1 / log2(rank + 1): Järvelin, Kekäläinen (2002).
"""

from dataclasses import dataclass

import numpy as np

from serving.bundle.format import Array
from serving.bundle.labels import NO_LABEL

POOL = 200  # products that are re-ranked: the most that a request can ask for plus the most it can have shown
SHOWN_FACTOR = 0.5  # multiplies the gain of a product shown before: moves the first to about rank 3


@dataclass(frozen=True)
class Variety:
    """What varies the products within one response and from one response to the next; off by default."""

    per_category: int | None = None  # at most so many products of one category before all the others
    shown: tuple[int, ...] = ()  # products shown before, rows of the bundle


def reweighted(values: Array, ranked: Array, factor: Array) -> Array:
    """Returns scores that order the ranked products by factor / log2(rank + 1), (P,) float64.

    All other products keep their order behind them. If all factors are equal, nothing moves.

    values: (P,) scores. ranked: (m,) indices of the m highest scores, best first, which have the ranks 1
    to m. factor: (P,), above zero.

    >>> reweighted(np.array([7.0, 5.0, 3.0]), np.array([0, 1]), np.array([1.0, 2.0, 1.0])).round(2).tolist()
    [1.0, 1.26, -4.0]
    """
    scores = values.astype(np.float64)
    scores -= np.max(scores, initial=0.0)
    scores[ranked] = factor[ranked] / np.log2(np.arange(len(ranked)) + 2)
    return scores


def penalise_shown(values: Array, ranked: Array, shown: tuple[int, ...]) -> Array:
    """Returns scores that order the ranked products by gain, times SHOWN_FACTOR if shown, (P,) float64.

    values, ranked: as in `reweighted`. shown: indices of products; repeated ones count once.
    """
    factor = np.ones(len(values))
    factor[list(shown)] = SHOWN_FACTOR
    return reweighted(values, ranked, factor)


def cap_categories(ranked: Array, category: Array, most: int) -> Array:
    """Moves the products beyond the first `most` of their category to the end, (m,).

    Both parts keep their order, so the first n are still n products.

    ranked: (m,) indices, best first. category: (P,) integer codes; NO_LABEL is never capped.

    >>> cap_categories(np.array([2, 0, 1]), np.array([7, 8, 7]), most=1).tolist()
    [2, 1, 0]
    """
    is_within = within_cap(category[ranked], most)
    return np.concatenate([ranked[is_within], ranked[~is_within]])


def within_cap(category: Array, most: int) -> Array:
    """Returns True for the first `most` products of each category, and for all without one, (m,) bool.

    category: (m,) integer codes of products, best first.
    """
    return np.asarray((_earlier(category) < most) | (category == NO_LABEL))


def _earlier(category: Array) -> Array:
    """Returns for each product how many of the same category come before it, (m,) int64."""
    order = np.argsort(category, kind="stable")
    sorted_category = category[order]
    counts = np.empty(len(order), dtype=np.int64)
    counts[order] = np.arange(len(order)) - np.searchsorted(sorted_category, sorted_category)
    return counts
