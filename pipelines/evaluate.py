"""How good a bundle's answers are on what happened after its cut: whole catalogue, every lane.

Scores come from `serving.recommender.scores`, the code that serves. Judged are customers with a
purchase on both sides of the cut; true are the products that they bought in the window, that were
sold before the cut and that the lane may answer.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.split import Interactions
from serving.bundle import Array, Bundle
from serving.recommender import LANES, Lane, scores

K = 10
BATCH = 1024

LANE = "lane"
MODEL = "model"
NDCG, RECALL, PRECISION, MAP, MRR, MPR = (
    "ndcg_at_10",
    "recall_at_10",
    "precision_at_10",
    "map_at_10",
    "mrr",
    "mean_percentile_rank",
)
METRICS = (NDCG, RECALL, PRECISION, MAP, MRR, MPR)


def evaluate(bundle: Bundle, truth: Interactions, model: str, component: str | None = None) -> pa.Table:
    """One row per lane and judged customer: the model's name, the customer, and each of METRICS.

    truth: purchases after the bundle's cut, over the same products. component: what scores; each
    lane's own where None.
    """
    parts = [
        pa.table({LANE: pa.repeat(lane, len(rows)), c.CUSTOMER: bundle.customers[rows].astype(str)} | found)
        for lane in LANES
        for rows, found in _judged(bundle, truth, lane, component)
    ]
    table = pa.concat_tables(parts) if parts else _empty()
    return table.append_column(MODEL, pa.repeat(model, table.num_rows))


def summary(judged: pa.Table) -> dict[str, dict[str, dict[str, float]]]:
    """The mean over customers: model -> lane -> metric, with the number of customers."""
    means = judged.group_by([MODEL, LANE]).aggregate(
        [(metric, "mean") for metric in METRICS] + [(c.CUSTOMER, "count")]
    )
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row in means.to_pylist():
        metrics = {metric: row[f"{metric}_mean"] for metric in METRICS}
        found.setdefault(row[MODEL], {})[row[LANE]] = metrics | {"customers": row[f"{c.CUSTOMER}_count"]}
    return found


def flat(lanes: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Measures by one name each, as MLflow keeps them: `ndcg_at_10_for_you`."""
    return {
        f"{metric}_{lane.replace('-', '_')}": value
        for lane, found in lanes.items()
        for metric, value in found.items()
    }


def by_lane(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """The inverse of `flat`: lane -> metric -> value; other names are left out."""
    return {
        lane: {
            metric: metrics[name]
            for metric in METRICS
            if (name := f"{metric}_{lane.replace('-', '_')}") in metrics
        }
        for lane in LANES
    }


def rank_metrics(values: Array, relevant: Array) -> dict[str, Array]:
    """Each of METRICS for n customers, (n,) float64.

    values: (n, P) scores, -inf for what the lane excludes. relevant: (n, P) bool, a true product at
    least in each row. Equal scores rank by place. NDCG is ideal over min(K, relevant): Järvelin and
    Kekäläinen (2002); the percentile rank is 0 for the first of all products, 1 for the last: Hu,
    Koren, Volinsky (2008).
    """
    rows, places = np.nonzero(relevant)
    rank = _ranks(values, rows, places)
    n, total = len(values), relevant.sum(axis=1)
    top = rank < K
    hit_rows, hit_ranks = rows[top], rank[top]
    hits = np.bincount(hit_rows, minlength=n)
    gain = np.bincount(hit_rows, 1 / np.log2(hit_ranks + 2), n)
    possible = np.minimum(total, K)
    ideal = np.cumsum(1 / np.log2(np.arange(K) + 2))[possible - 1]
    before = _hits_up_to(hit_rows, hit_ranks)
    average = np.bincount(hit_rows, before / (hit_ranks + 1), n) / possible
    best = np.full(n, np.inf)
    np.minimum.at(best, rows, rank)
    last = np.maximum((values > -np.inf).sum(axis=1) - 1, 1)
    return {
        NDCG: gain / ideal,
        RECALL: hits / total,
        PRECISION: hits / K,
        MAP: average,
        MRR: 1 / (best + 1),
        MPR: np.bincount(rows, rank / last[rows], n) / total,
    }


def _judged(
    bundle: Bundle, truth: Interactions, lane: Lane, component: str | None
) -> Iterator[tuple[Array, dict[str, Array]]]:
    known = np.searchsorted(bundle.customers, truth.customers)
    known[known == len(bundle.customers)] = 0
    on_both_sides = bundle.customers[known] == truth.customers
    bought = truth.matrix(truth.quantity > 0).astype(bool)
    people = np.flatnonzero(on_both_sides & (np.diff(bought.indptr) > 0))
    for start in range(0, len(people), BATCH):
        batch = people[start : start + BATCH]
        values = scores(bundle, known[batch], lane, component)
        relevant = bought[batch].toarray() & (values > -np.inf)
        judged = relevant.any(axis=1)
        if judged.any():
            yield known[batch][judged], rank_metrics(values[judged], relevant[judged])


def _ranks(values: Array, rows: Array, places: Array) -> Array:
    """How many products rank before each (row, place), (m,) int64."""
    order = np.argsort(-values, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(values.shape[1])[None, :], axis=1)
    return rank[rows, places]


def _hits_up_to(rows: Array, ranks: Array) -> Array:
    """For each hit, how many hits of its row rank at or before it, (m,)."""
    order = np.lexsort((ranks, rows))
    sorted_rows = rows[order]
    count = np.empty(len(rows), dtype=np.int64)
    count[order] = np.arange(len(rows)) - np.searchsorted(sorted_rows, sorted_rows) + 1
    return count


def _empty() -> pa.Table:
    floats = {metric: pa.array([], pa.float64()) for metric in METRICS}
    return pa.table({LANE: pa.array([], pa.string()), c.CUSTOMER: pa.array([], pa.string())} | floats)
