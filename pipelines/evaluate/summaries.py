"""Means of what was measured of customers, and the names by which MLflow keeps them."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.evaluate.names import (
    CATALOGUE,
    COVERAGE,
    CUSTOMERS,
    DIVERSITY,
    LANE,
    METRICS,
    MODEL,
    NDCG,
    NDCG_HEAD,
    NDCG_TAIL,
    NOVELTY,
    PER_CUSTOMER,
    RECALL,
    RMSE,
    SEGMENT,
    TOP,
    WEIGHT,
)
from pipelines.evaluate.segments import SEGMENTS, UNKNOWN
from serving.recommend.lanes import LANES

Summary = dict[str, dict[str, dict[str, float]]]  # model -> lane -> metric

FLAT = (*METRICS, NDCG_HEAD, NDCG_TAIL, COVERAGE, NOVELTY, DIVERSITY, WEIGHT, RMSE, CUSTOMERS)
MAIN_METRICS = (NDCG, RECALL, COVERAGE)  # by which many models are compared side by side


def summary(judged: pa.Table) -> Summary:
    """The mean over customers known at the cut: model -> lane -> metric, with the number of customers.

    A mean is over those who have the metric, and is left out where nobody has. Coverage is the share
    of the shop's products that stand in anybody's list.
    """
    return _means(known_only(judged))


def by_segment(judged: pa.Table) -> dict[str, Summary]:
    """The same for each group of GROUPS apart: group -> model -> lane -> metric."""
    groups = {group: judged.filter(pc.equal(judged[SEGMENT], group)) for group in SEGMENTS}
    return {group: _means(rows) for group, rows in groups.items() if rows.num_rows}


def known_only(judged: pa.Table) -> pa.Table:
    """The rows of customers who were known at the cut: those that the gate decides by."""
    return judged.filter(pc.invert(pc.fill_null(pc.equal(judged[SEGMENT], UNKNOWN), False)))


def flatten(lanes: Mapping[str, Mapping[str, float]], metrics: tuple[str, ...] = FLAT) -> dict[str, float]:
    """The measures by one name each, as MLflow keeps them: `ndcg_at_10_for_you`."""
    return {
        flat_name(metric, lane): found[metric]
        for lane, found in lanes.items()
        for metric in metrics
        if metric in found
    }


def by_lane(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """The inverse of `flat` for METRICS: lane -> metric -> value; other names are left out."""
    return {
        lane: {metric: metrics[name] for metric in METRICS if (name := flat_name(metric, lane)) in metrics}
        for lane in LANES
    }


def flat_name(metric: str, lane: str) -> str:
    """The name of a metric in a lane: `ndcg_at_10_for_you`."""
    return f"{metric}_{lane.replace('-', '_')}"


def _means(judged: pa.Table) -> Summary:
    means = judged.group_by([MODEL, LANE]).aggregate(
        [(metric, "mean") for metric in PER_CUSTOMER] + [(c.CUSTOMER, "count")]
    )
    covered = _coverage(judged)
    found: Summary = {}
    for row in means.to_pylist():
        model, lane = row[MODEL], row[LANE]
        metrics = {metric: row[f"{metric}_mean"] for metric in PER_CUSTOMER}
        measured = {metric: value for metric, value in metrics.items() if value is not None}
        found.setdefault(model, {})[lane] = measured | {
            COVERAGE: covered[model, lane],
            CUSTOMERS: row[f"{c.CUSTOMER}_count"],
        }
    return found


def _coverage(judged: pa.Table) -> dict[tuple[str, str], float]:
    """Of each model and lane, the share of the catalogue that stands in a list."""
    rows = judged.select([MODEL, LANE, CATALOGUE]).take(pc.list_parent_indices(judged[TOP]))
    shown = rows.append_column(TOP, pc.list_flatten(judged[TOP]))
    distinct = shown.group_by([MODEL, LANE, CATALOGUE]).aggregate([(TOP, "count_distinct")])
    return {
        (row[MODEL], row[LANE]): row[f"{TOP}_count_distinct"] / row[CATALOGUE] for row in distinct.to_pylist()
    }
