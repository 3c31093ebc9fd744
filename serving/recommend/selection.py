"""The first products of a list, with the variety that is asked for."""

from collections.abc import Callable

import numpy as np

from serving.bundle.format import Bundle
from serving.bundle.highest import best
from serving.recommend.rerank import POOL, Variety, capped, early, penalised, weighed
from serving.recommend.shortlist import Shortlist

Listing = Callable[[int], Shortlist]  # the products that score highest, so many of them at least


def reweighed(bundle: Bundle, found: Shortlist) -> Shortlist:
    """The same, re-ranked by the weight of the first POOL where the bundle has a strength for that."""
    if not bundle.strength:
        return found
    factor = bundle.weight[found.products].astype(np.float64) ** bundle.strength
    return Shortlist(found.products, weighed(found.values, best(found.values, POOL), factor))


def cut(bundle: Bundle, listing: Listing, n: int, variety: Variety, least: int = 0) -> Shortlist:
    """At most n products, best first, with the variety that is asked for and the scores that they had.

    least: how many the listing needs to know of at once.
    """
    size = max(n, least, POOL if variety.shown else 0)
    while True:
        found = listing(size)
        values = found.values
        if variety.shown:
            shown = np.flatnonzero(np.isin(found.products, variety.shown))
            values = penalised(values, best(values, POOL), tuple(shown.tolist()))
        order = best(values, len(values))
        if (most := variety.per_category) is None:
            return found.at(order[:n])
        category = bundle.categories.number[found.products]
        if np.count_nonzero(early(category[order], most)) >= n or len(order) < size:
            return found.at(capped(order, category, most)[:n])
        size *= 8
