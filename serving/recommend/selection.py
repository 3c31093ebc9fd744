"""Selects the first n products of a shortlist, after re-ranking and with the requested variety."""

from collections.abc import Callable

import numpy as np

from serving.bundle.format import Bundle
from serving.bundle.highest import top_n
from serving.recommend.rerank import (
    POOL,
    Variety,
    cap_categories,
    penalise_shown,
    reweighted,
    within_cap,
)
from serving.recommend.shortlist import Shortlist

FetchShortlist = Callable[
    [int], Shortlist
]  # takes n; returns a shortlist with at least the n highest scores, or with all


def reweight_shortlist(bundle: Bundle, shortlist: Shortlist) -> Shortlist:
    """Re-ranks the first POOL products by the products' weight, if the bundle has a `strength`."""
    if not bundle.strength:
        return shortlist
    factor = bundle.weight[shortlist.products].astype(np.float64) ** bundle.strength
    ranked = top_n(shortlist.values, POOL)
    return Shortlist(shortlist.products, reweighted(shortlist.values, ranked, factor))


def select(bundle: Bundle, fetch: FetchShortlist, n: int, variety: Variety, min_size: int = 0) -> Shortlist:
    """Returns at most n products, best first, with the requested variety and their original scores.

    Fetches longer and longer shortlists until the category cap leaves n products.

    min_size: the least number of products in the first shortlist.
    """
    size = max(n, min_size, POOL if variety.shown else 0)
    while True:
        shortlist = fetch(size)
        values = shortlist.values
        if variety.shown:
            shown = np.flatnonzero(np.isin(shortlist.products, variety.shown))
            values = penalise_shown(values, top_n(values, POOL), tuple(shown.tolist()))
        order = top_n(values, len(values))
        if (most := variety.per_category) is None:
            return shortlist.take(order[:n])
        category = bundle.categories.codes[shortlist.products]
        if np.count_nonzero(within_cap(category[order], most)) >= n or len(order) < size:
            return shortlist.take(cap_categories(order, category, most)[:n])
        size *= 8
