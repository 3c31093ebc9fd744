"""The second stage: candidates of several kinds, ordered by a model learned from earlier windows."""

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.recommend.features import Neighbourhood, candidates, features

MARGIN = 1.0  # what lies between the last candidate and the first of the rest
# What a taste counts that a description alone foretells. On Online Retail II, four weeks before the test
# window, new products that are shown are then bought as often as the others, or rather more.
NEW_PRODUCT_DISCOUNT = 0.5
BATCH = 64  # customers at once


def ranker(bundle: Bundle, customers: Array) -> Array:
    """Candidates by the learned model; behind them all other products by popularity, (n, P)."""
    values = np.tile(fallback_scores(bundle, np.arange(len(bundle.products))), (len(customers), 1))
    rows, products, ranked = ranked_candidates(bundle, customers)
    values[rows, products] = ranked
    return values


def fallback_scores(bundle: Bundle, products: Array) -> Array:
    """The scores of products that are no candidates, by popularity, between 0 and 1, (m,) float32."""
    return np.asarray(bundle.popularity[products] / bundle.max_popularity)


def ranked_candidates(bundle: Bundle, customers: Array) -> tuple[Array, Array, Array]:
    """The candidates of customers: rows among these, products, and their scores, (m,) each.

    The model knows nothing of products without a sale: a new one stands among the candidates where the
    customer's taste would put it. Where a bundle holds no model there are no candidates.
    """
    if bundle.trees is None:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    around = Neighbourhood(bundle, customers)
    rows, products = candidates(around)
    ranked = bundle.trees.inplace_predict(features(around, rows, products))
    lowest = np.zeros(len(customers), np.float32)
    np.minimum.at(lowest, rows, ranked)
    # The rest lies between 0 and 1, so that each candidate stands before all of it.
    known = rows, products, ranked - lowest[rows] + 1 + MARGIN
    if not (len(bundle.new_products) and len(customers)):
        return known
    parts = zip(known, _placed(bundle, customers, *known), strict=True)
    together, all_of_them, scores = (np.concatenate(both) for both in parts)
    return together, all_of_them, scores


def candidates_per_customer(bundle: Bundle, customers: Array) -> list[tuple[Array, Array]]:
    """The candidates of each of n customers and their scores, so many customers at once as memory allows."""
    found = []
    for start in range(0, len(customers), BATCH):
        batch = customers[start : start + BATCH]
        rows, products, values = ranked_candidates(bundle, batch)
        order = np.argsort(rows, kind="stable")
        ends = np.searchsorted(rows[order], np.arange(1, len(batch)))
        parts = (np.split(one[order], ends) for one in (products, values))
        found += list(zip(*parts, strict=True))
    return found


def _placed(
    bundle: Bundle, customers: Array, rows: Array, products: Array, ranked: Array
) -> tuple[Array, Array, Array]:
    """New products with the score of the candidate that stands where their taste would put them.

    rows, products, ranked: (m,) the candidates, rows ascending, as is what is returned. One that pleases
    less than all of them, or not at all, stays behind and is left out.
    """
    new = bundle.new_products
    pairs = np.einsum("mk,mk->m", bundle.user_factors[customers[rows]], bundle.item_factors[products])
    tastes = pairs * bundle.boost[products]
    of_new = (
        bundle.user_factors[customers] @ bundle.item_factors[new].T * bundle.boost[new] * NEW_PRODUCT_DISCOUNT
    )
    ends = np.searchsorted(rows, np.arange(len(customers) + 1))
    placed = []
    for row, pleased in enumerate(of_new):
        own = slice(ends[row], ends[row + 1])
        place = np.searchsorted(np.sort(-tastes[own]), -pleased)  # how many candidates please more
        among = (place < own.stop - own.start) & (pleased > 0)
        by_score = -np.sort(-ranked[own])
        placed.append((np.full(among.sum(), row), new[among], by_score[place[among]]))
    of_whom, found, scores = (np.concatenate(part) for part in zip(*placed, strict=True))
    return of_whom, found, scores
