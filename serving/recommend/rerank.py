"""Another order of what was scored: by what a sale is worth, by what was shown before, by category.

Components score on scales of their own, some below zero, so nothing here looks at how high a score is: a
product's gain is the one that NDCG gives its rank (Järvelin and Kekäläinen 2002), 1 / log2(rank + 1).
"""

from dataclasses import dataclass

import numpy as np

from serving.bundle.format import Array
from serving.bundle.labels import NO_LABEL

POOL = 200  # products that change places: as many as may be answered and may have been shown before
SHOWN_FACTOR = (
    0.5  # what is left of the gain of a product that was shown: from the first place to about the third
)


@dataclass(frozen=True)
class Variety:
    """What keeps one answer from being all alike, and the next from being the same; by itself nothing."""

    per_category: int | None = None  # products of one category before all the others, at most
    shown: tuple[int, ...] = ()  # products that were shown before, by their rows in the bundle


def reweighted(values: Array, ranked: Array, factor: Array) -> Array:
    """Scores by which the ranked products are ordered by factor / log2(rank + 1), (P,) float64.

    values: (P,) scores. ranked: (m,) the places of the highest of them, best first, which gives the ranks 1
    to m. factor: (P,) above zero; the same for all leaves each product where it is. All other products stay
    behind the ranked ones, in their order.
    """
    found = values.astype(np.float64)
    found -= np.max(found, initial=0.0)
    found[ranked] = factor[ranked] / np.log2(np.arange(len(ranked)) + 2)
    return found


def penalise_shown(values: Array, ranked: Array, shown: tuple[int, ...]) -> Array:
    """Scores by which the ranked products are ordered by their gain, halved (SHOWN) where they were shown.

    values, ranked, the result: as in `weighed`. shown: rows of products; how often is not counted.
    """
    factor = np.ones(len(values))
    factor[list(shown)] = SHOWN_FACTOR
    return reweighted(values, ranked, factor)


def cap_categories(ranked: Array, category: Array, most: int) -> Array:
    """The same products with at most so many of a category before all that are too many, (m,).

    ranked: (m,) places, best first. category: (P,) int; products of NOTHING are never too many. Both
    parts keep their order, so that the places freed go to the next ones, and the first n are n still.
    """
    among = category[ranked]
    is_early = within_cap(among, most)
    return np.concatenate([ranked[is_early], ranked[~is_early]])


def within_cap(category: Array, most: int) -> Array:
    """True for products, best first, of which no more than so many are of one category, (m,) bool."""
    return np.asarray((_earlier(category) < most) | (category == NO_LABEL))


def _earlier(category: Array) -> Array:
    """How many of the same category stand before each, (m,)."""
    order = np.argsort(category, kind="stable")
    together = category[order]
    found = np.empty(len(order), dtype=np.int64)
    found[order] = np.arange(len(order)) - np.searchsorted(together, together)
    return found
