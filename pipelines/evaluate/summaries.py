"""Means of measures over customers, and their names in MLflow."""

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

# the metrics that MLflow keeps
FLAT = (*METRICS, NDCG_HEAD, NDCG_TAIL, COVERAGE, NOVELTY, DIVERSITY, WEIGHT, RMSE, CUSTOMERS)
MAIN_METRICS = (NDCG, RECALL, COVERAGE)  # shown where many models are compared


def summary(measures: pa.Table) -> Summary:
    """Returns the means over customers known at the cut, and their number: model -> lane -> metric.

    A mean is over the customers for whom the metric is not null, and left out if it is null for all.
    Coverage is the share of the catalogue that is in at least one customer's list.
    """
    return _means(known_only(measures))


def by_segment(measures: pa.Table) -> dict[str, Summary]:
    """Returns the means of each customer segment, also of `unknown`: segment -> model -> lane -> metric."""
    parts = {segment: measures.filter(pc.equal(measures[SEGMENT], segment)) for segment in SEGMENTS}
    return {segment: _means(rows) for segment, rows in parts.items() if rows.num_rows}


def known_only(measures: pa.Table) -> pa.Table:
    """Returns the measures of customers who were known at the cut; the gate decides by them."""
    return measures.filter(pc.invert(pc.fill_null(pc.equal(measures[SEGMENT], UNKNOWN), False)))


def flatten(lanes: Mapping[str, Mapping[str, float]], metrics: tuple[str, ...] = FLAT) -> dict[str, float]:
    """Returns the means by their names in MLflow, such as `ndcg_at_10_for_you`."""
    return {
        flat_name(metric, lane): means[metric]
        for lane, means in lanes.items()
        for metric in metrics
        if metric in means
    }


def by_lane(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Returns lane -> metric -> value: the inverse of `flatten` for METRICS, without other names."""
    return {
        lane: {metric: metrics[name] for metric in METRICS if (name := flat_name(metric, lane)) in metrics}
        for lane in LANES
    }


def flat_name(metric: str, lane: str) -> str:
    """Returns the name of a metric in a lane, such as `ndcg_at_10_for_you`."""
    return f"{metric}_{lane.replace('-', '_')}"


def _means(measures: pa.Table) -> Summary:
    """Returns the means over all customers of the table, and their number: model -> lane -> metric."""
    rows = measures.group_by([MODEL, LANE]).aggregate(
        [(metric, "mean") for metric in PER_CUSTOMER] + [(c.CUSTOMER, "count")]
    )
    covered = _coverage(measures)
    means: Summary = {}
    for row in rows.to_pylist():
        model, lane = row[MODEL], row[LANE]
        metrics = {metric: row[f"{metric}_mean"] for metric in PER_CUSTOMER}
        measured = {metric: value for metric, value in metrics.items() if value is not None}
        means.setdefault(model, {})[lane] = measured | {
            COVERAGE: covered[model, lane],
            CUSTOMERS: row[f"{c.CUSTOMER}_count"],
        }
    return means


def _coverage(measures: pa.Table) -> dict[tuple[str, str], float]:
    """Returns the share of the catalogue that is in at least one list, by model and lane."""
    rows = measures.select([MODEL, LANE, CATALOGUE]).take(pc.list_parent_indices(measures[TOP]))
    shown = rows.append_column(TOP, pc.list_flatten(measures[TOP]))
    distinct = shown.group_by([MODEL, LANE, CATALOGUE]).aggregate([(TOP, "count_distinct")])
    return {
        (row[MODEL], row[LANE]): row[f"{TOP}_count_distinct"] / row[CATALOGUE] for row in distinct.to_pylist()
    }
