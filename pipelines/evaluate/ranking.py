"""Where the true products of customers rank among all products, and what that is worth."""

from dataclasses import dataclass

import numpy as np

from pipelines.evaluate.names import MAP, MPR, MRR, NDCG, PRECISION, RECALL
from serving.bundle.format import Array
from serving.bundle.highest import top_n

K = 10
BLOCKS = 64 * K  # of products, of which few reach into the first K
NO_PRODUCT = -1  # stands in a list of ten behind its last product
IDEAL = np.r_[np.nan, np.cumsum(1 / np.log2(np.arange(K) + 2))]  # the highest gain of 0 to K true products


@dataclass(frozen=True)
class Ranking:
    """The ranks of the m true products of n customers, and the first products of each."""

    rows: Array  # (m,) the customer of each true product, ascending
    products: Array  # (m,) the true product
    rank: Array  # (m,) how many products rank before it
    allowed: Array  # (n,) how many products the lane may answer
    top: Array  # (n, min(K, P)) int32, best first, NOBODY behind the last


def rank(values: Array, rows: Array, products: Array) -> Ranking:
    """The ranking of n customers by their scores; equal scores rank by place.

    values: (n, P) float32, -inf for what the lane excludes. rows, products: (m,) the places of the
    true products in it, rows ascending.
    """
    n, total = values.shape
    ends = np.searchsorted(rows, np.arange(n + 1))
    ranks = np.empty(len(rows), dtype=np.int64)
    top = np.full((n, min(K, total)), NO_PRODUCT, dtype=np.int32)
    for row, scores in enumerate(values):
        own = slice(ends[row], ends[row + 1])
        ranks[own] = _before(scores, products[own])
        first = _first(scores)
        top[row, : len(first)] = first
    return Ranking(rows, products, ranks, np.count_nonzero(values > -np.inf, axis=1), top)


def rank_metrics(ranking: Ranking) -> dict[str, Array]:
    """Each of METRICS for n customers, (n,) float64; each of them has a true product at least.

    The percentile rank is 0 for the first of all products and 1 for the last: Hu, Koren, Volinsky
    (2008).
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
    """NDCG@10 and recall@10 where only some of the true products count, (n,) each; nan without any.

    among: (m,) bool. NDCG is ideal over min(K, true products): Järvelin and Kekäläinen (2002).
    """
    rows, rank, n = ranking.rows[among], ranking.rank[among], len(ranking.allowed)
    total = np.bincount(rows, minlength=n)
    hit = rank < K
    gain = np.bincount(rows[hit], 1 / np.log2(rank[hit] + 2), n)
    hits = np.bincount(rows[hit], minlength=n)
    return gain / IDEAL[np.minimum(total, K)], hits / np.where(total > 0, total, np.nan)


def rmse(values: Array, ranking: Ranking) -> Array:
    """Root mean square of the scores against 1 for true products and 0 for the others, (n,) float64.

    It says little of a recommender, since nearly all of it comes from what nobody would show, and
    nothing of scores that are no preferences; it is here because people ask.
    """
    finite = np.where(values > -np.inf, values, 0)
    against_nothing = np.einsum("ij,ij->i", finite, finite)
    of_the_true = 1 - 2 * values[ranking.rows, ranking.products].astype(np.float64)
    squares = against_nothing + np.bincount(ranking.rows, of_the_true, len(values))
    return np.asarray(np.sqrt(squares / ranking.allowed))


def _before(scores: Array, products: Array) -> Array:
    """How many products rank before m others: those with a higher score, and of equal ones the earlier.

    Counted for each: a customer buys few products, and sorting 50,000 scores takes as long as 140 counts.
    """
    own = scores[products]
    higher = [np.count_nonzero(scores > one) for one in own]
    equal = [np.count_nonzero(scores[:place] == one) for place, one in zip(products, own, strict=True)]
    return np.add(higher, equal)


def _first(scores: Array) -> Array:
    """The places of the first K products, picked by the code that serves from those that may be."""
    size = max(1, len(scores) // BLOCKS)
    highest = np.maximum.reduceat(scores, np.arange(0, len(scores), size))
    floor = np.sort(highest)[-K:][0]  # which K products reach, each of another block
    among = np.flatnonzero((scores >= floor) & (scores > -np.inf))
    return among[top_n(scores[among], K)]


def _hits_up_to(rows: Array, ranks: Array) -> Array:
    """For each hit, how many hits of its row rank at or before it, (m,)."""
    order = np.lexsort((ranks, rows))
    sorted_rows = rows[order]
    count = np.empty(len(rows), dtype=np.int64)
    count[order] = np.arange(len(rows)) - np.searchsorted(sorted_rows, sorted_rows) + 1
    return count
