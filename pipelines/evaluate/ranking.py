"""Ranks of the truth (the products that a customer bought) among all products, and ranking metrics.

All examples have one customer who bought products 0 and 2, which rank first and third of four.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from pipelines.evaluate.names import MAP, MPR, MRR, NDCG, PRECISION, RECALL
from serving.bundle.format import Array, expand_ranges

K = 10
IDEAL = np.r_[np.nan, np.cumsum(1 / np.log2(np.arange(K) + 2))]  # ideal gain of 0 to K true products


@dataclass(frozen=True)
class Ranking:
    """Ranks of the m true products of n customers, and each customer's first K products."""

    rows: Array  # (m,) int64, the customer of each true product, sorted
    products: Array  # (m,) int64, the true product
    rank: Array  # (m,) int64, how many products rank before it
    allowed: Array  # (n,) int64, how many products the lane may recommend
    top: Array  # (n, min(K, P)) int32, best first, filled with NO_PRODUCT


class Sorted(NamedTuple):
    """The scores of n customers sorted, and the scores of those products among them that a lane excludes.

    Sorting is most of the work of ranking; lanes of the same scores share it.
    """

    ascending: Array  # (n, P)
    excluded: Array  # (h,)
    starts: Array  # (n + 1,) int64, where each customer's excluded scores begin

    @classmethod
    def of(cls, values: Array) -> Self:
        """Sorts scores of which the lane excludes none but those at -inf, (n, P)."""
        return cls(np.sort(values, axis=1), np.empty(0, values.dtype), np.zeros(len(values) + 1, np.int64))

    def of_customers(self, rows: Array) -> Self:
        """Returns the same for some of the customers; rows: (r,) int64."""
        customers, scores = expand_ranges(self.starts[rows], self.starts[rows + 1])
        starts = np.searchsorted(customers, np.arange(len(rows) + 1))
        return type(self)(self.ascending[rows], self.excluded[scores], starts)


def rank(values: Array, rows: Array, products: Array, among: Sorted | None = None) -> Ranking:
    """Returns the ranks of the true products by score; equal scores rank by product row.

    values: (n, P) float32, -inf for products that the lane excludes. rows, products: (m,) int64, customer and
    product of each purchase, sorted by customer. among: the same scores sorted; None sorts them.

    >>> scores = np.array([[0.9, 0.8, 0.7, 0.6]], np.float32)
    >>> ranking = rank(scores, rows=np.array([0, 0]), products=np.array([0, 2]))
    >>> ranking.rank
    array([0, 2])
    >>> ranking.top
    array([[0, 1, 2, 3]], dtype=int32)
    """
    from pipelines.evaluate.ranks import ranks  # imports numba, which takes most of a second

    values = np.ascontiguousarray(values)
    starts = np.searchsorted(rows, np.arange(len(values) + 1))
    before, allowed, top = ranks(
        values, starts, products.astype(np.int64), min(K, values.shape[1]), among or Sorted.of(values)
    )
    return Ranking(rows, products, before, allowed, top)


def rank_metrics(ranking: Ranking) -> dict[str, Array]:
    """Returns each of METRICS for n customers, (n,) float64; each customer must have a true product.

    NDCG@10 and recall@10: see `gain_and_recall`.

    >>> scores = np.array([[0.9, 0.8, 0.7, 0.6]], np.float32)
    >>> ranking = rank(scores, rows=np.array([0, 0]), products=np.array([0, 2]))
    >>> metrics = rank_metrics(ranking)

    Precision@10, hits / 10:

    >>> float(metrics[PRECISION][0])
    0.2

    MAP@10, the mean over true products of the precision at their ranks, (1/1 + 2/3) / 2: Buckley and
    Voorhees (2000). With more than ten true products the mean is over ten.

    >>> round(float(metrics[MAP][0]), 4)
    0.8333

    MRR, 1 / rank of the first hit, counted from 1 (Voorhees 1999):

    >>> float(metrics[MRR][0])
    1.0

    Mean percentile rank, 0 for the first of all products and 1 for the last (Hu, Koren, Volinsky 2008):
    (0/3 + 2/3) / 2.

    >>> round(float(metrics[MPR][0]), 4)
    0.3333
    """
    rows, rank, n = ranking.rows, ranking.rank, len(ranking.allowed)
    total = np.bincount(rows, minlength=n)
    hit = rank < K
    precision_at_hits = _hits_up_to(rows[hit], rank[hit]) / (rank[hit] + 1)
    first = np.full(n, np.inf)
    np.minimum.at(first, rows, rank)
    last = np.maximum(ranking.allowed - 1, 1)
    ndcg, recall = gain_and_recall(ranking, np.ones(len(rows), dtype=bool))
    return {
        NDCG: ndcg,
        RECALL: recall,
        PRECISION: np.bincount(rows[hit], minlength=n) / K,
        MAP: np.bincount(rows[hit], precision_at_hits, n) / np.minimum(total, K),
        MRR: 1 / (first + 1),
        MPR: np.bincount(rows, rank / last[rows], n) / total,
    }


def gain_and_recall(ranking: Ranking, among: Array) -> tuple[Array, Array]:
    """Returns NDCG@10 and recall@10 over some true products, (n,) float64; nan for a customer without any.

    among: (m,) bool, which true products count. The ideal ranking of NDCG has min(10, true products) hits:
    Järvelin and Kekäläinen (2002). Here (1/log2(2) + 1/log2(4)) / (1/log2(2) + 1/log2(3)), and 2 of 2:

    >>> scores = np.array([[0.9, 0.8, 0.7, 0.6]], np.float32)
    >>> ranking = rank(scores, rows=np.array([0, 0]), products=np.array([0, 2]))
    >>> ndcg, recall = gain_and_recall(ranking, np.array([True, True]))
    >>> round(float(ndcg[0]), 4), float(recall[0])
    (0.9197, 1.0)
    """
    rows, rank, n = ranking.rows[among], ranking.rank[among], len(ranking.allowed)
    total = np.bincount(rows, minlength=n)
    hit = rank < K
    gain = np.bincount(rows[hit], 1 / np.log2(rank[hit] + 2), n)
    hits = np.bincount(rows[hit], minlength=n)
    return gain / IDEAL[np.minimum(total, K)], hits / np.where(total > 0, total, np.nan)


def rmse(values: Array, ranking: Ranking) -> Array:
    """Returns the RMSE of scores against 1 for true products and 0 for the others, (n,) float64.

    It says little about recommendations, since nearly all of it comes from products far down the ranking, and
    nothing about scores that do not predict 0 or 1. It is measured because users expect it.

    values: (n, P) float32. Here the squared errors are 0.01, 0.64, 0.09 and 0.36:

    >>> scores = np.array([[0.9, 0.8, 0.7, 0.6]], np.float32)
    >>> ranking = rank(scores, rows=np.array([0, 0]), products=np.array([0, 2]))
    >>> round(float(rmse(scores, ranking)[0]), 4)
    0.5244
    """
    finite = np.where(values > -np.inf, values, 0)
    squares_against_zero = np.einsum("ij,ij->i", finite, finite)
    correction = 1 - 2 * values[ranking.rows, ranking.products].astype(np.float64)
    squared_errors = squares_against_zero + np.bincount(ranking.rows, correction, len(values))
    return np.asarray(np.sqrt(squared_errors / ranking.allowed))


def _hits_up_to(rows: Array, ranks: Array) -> Array:
    """Returns how many hits of the same customer rank at or before each hit, (m,) int64."""
    order = np.lexsort((ranks, rows))
    sorted_rows = rows[order]
    count = np.empty(len(rows), dtype=np.int64)
    count[order] = np.arange(len(rows)) - np.searchsorted(sorted_rows, sorted_rows) + 1
    return count
