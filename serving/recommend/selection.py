"""The first products of a list, with the variety that is asked for."""

from collections.abc import Callable

import numpy as np

from serving.bundle.format import Bundle
from serving.bundle.highest import top_n
from serving.recommend.rerank import POOL, Variety, cap_categories, penalise_shown, reweighted, within_cap
from serving.recommend.shortlist import Shortlist

FetchShortlist = Callable[[int], Shortlist]  # the products that score highest, so many of them at least


def reweight_shortlist(bundle: Bundle, found: Shortlist) -> Shortlist:
    """The same, re-ranked by the weight of the first POOL where the bundle has a strength for that."""
    if not bundle.strength:
        return found
    factor = bundle.weight[found.products].astype(np.float64) ** bundle.strength
    return Shortlist(found.products, reweighted(found.values, top_n(found.values, POOL), factor))


def select(bundle: Bundle, listing: FetchShortlist, n: int, variety: Variety, least: int = 0) -> Shortlist:
    """At most n products, best first, with the variety that is asked for and the scores that they had.

    least: how many the listing needs to know of at once.
    """
    size = max(n, least, POOL if variety.shown else 0)
    while True:
        found = listing(size)
        values = found.values
        if variety.shown:
            shown = np.flatnonzero(np.isin(found.products, variety.shown))
            values = penalise_shown(values, top_n(values, POOL), tuple(shown.tolist()))
        order = top_n(values, len(values))
        if (most := variety.per_category) is None:
            return found.take(order[:n])
        category = bundle.categories.codes[found.products]
        if np.count_nonzero(within_cap(category[order], most)) >= n or len(order) < size:
            return found.take(cap_categories(order, category, most)[:n])
        size *= 8
