"""The second stage: orders several kinds of candidates by a model learned from earlier windows."""

from itertools import pairwise

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.recommend.features import candidates

MARGIN = 1.0  # between the lowest candidate and the highest of all other products
# Multiplies tastes that are predicted from a description alone. Measured on Online Retail II, in the four
# weeks before the test window: customers then buy the new products shown at least as often as the others.
NEW_PRODUCT_DISCOUNT = 0.5
BATCH = 64  # customers scored at once


def ranker(bundle: Bundle, customers: Array) -> Array:
    """Returns the scores of all products: candidates by the model, behind them the others by popularity.

    customers: (n,) rows of the bundle. Returns (n, P) float32.
    """
    values = np.tile(fallback_scores(bundle, np.arange(len(bundle.products))), (len(customers), 1))
    rows, products, scores = ranked_candidates(bundle, customers)
    values[rows, products] = scores
    return values


def fallback_scores(bundle: Bundle, products: Array) -> Array:
    """Returns the scores of products that are no candidates: popularity from 0 to 1, (m,) float32."""
    return np.asarray(bundle.popularity[products] / bundle.max_popularity)


def ranked_candidates(bundle: Bundle, customers: Array) -> tuple[Array, Array, Array]:
    """Returns the candidates: rows among the customers, products, (m,) int64 each, and scores, (m,) float32.

    The model can't score a product without a sale, so a new product takes the score of the candidate at the
    rank where the customer's taste puts it. Without a model there are no candidates.

    customers: (n,) rows of the bundle. Rows ascend.
    """
    if bundle.trees is None:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    pairs = candidates(bundle, customers)
    scores, ends = bundle.trees.scores(pairs.features), _ends(pairs.rows, len(customers))
    for start, end in pairwise(ends):
        # Fallback scores lie between 0 and 1, so every candidate comes before all other products.
        scores[start:end] = scores[start:end] - scores[start:end].min(initial=0) + 1 + MARGIN
    if not (len(bundle.new_products) and len(customers)):
        return pairs.rows, pairs.products, scores
    added = _new_products(bundle, customers, pairs.rows, pairs.products, scores)
    rows, products, scores = (
        np.concatenate(both) for both in zip((pairs.rows, pairs.products, scores), added, strict=True)
    )
    order = np.argsort(rows, kind="stable")
    return rows[order], products[order], scores[order]


def candidates_per_customer(bundle: Bundle, customers: Array) -> list[tuple[Array, Array]]:
    """Returns each customer's candidates, (m,) int64, and their scores, (m,) float32.

    Scores BATCH customers at a time to bound memory. customers: (n,) rows of the bundle.
    """
    result: list[tuple[Array, Array]] = []
    for first in range(0, len(customers), BATCH):
        batch = customers[first : first + BATCH]
        rows, products, scores = ranked_candidates(bundle, batch)
        ends = _ends(rows, len(batch))
        result += [(products[start:end], scores[start:end]) for start, end in pairwise(ends)]
    return result


def _ends(rows: Array, n: int) -> list[int]:
    """Returns where the entries of each of n rows start, and where the last ones end; rows: ascending."""
    ends: list[int] = np.searchsorted(rows, np.arange(n + 1)).tolist()
    return ends


def _new_products(
    bundle: Bundle, customers: Array, rows: Array, products: Array, scores: Array
) -> tuple[Array, Array, Array]:
    """Returns new products with the score of the candidate at the rank where their taste puts them.

    A new product with a lower taste than every candidate, or with none above zero, is left out.

    rows, products, scores: (m,) the candidates, rows ascending. Returns the same for the new products.
    """
    new = bundle.new_products
    inner = np.einsum("mk,mk->m", bundle.user_factors[customers[rows]], bundle.item_factors[products])
    tastes = inner * bundle.boost[products]
    new_tastes = bundle.user_factors[customers] @ bundle.item_factors[new].T
    new_tastes = new_tastes * bundle.boost[new] * NEW_PRODUCT_DISCOUNT
    ends = _ends(rows, len(customers))
    parts = []
    for row, taste in enumerate(new_tastes):
        own = slice(ends[row], ends[row + 1])
        rank = np.searchsorted(np.sort(-tastes[own]), -taste)  # how many candidates have a higher taste
        is_ranked = (rank < own.stop - own.start) & (taste > 0)
        by_score = -np.sort(-scores[own])
        parts.append((np.full(is_ranked.sum(), row), new[is_ranked], by_score[rank[is_ranked]]))
    new_rows, new_products, new_scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    return new_rows, new_products, new_scores
