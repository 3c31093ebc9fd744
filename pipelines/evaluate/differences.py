"""Differences in NDCG@10 between two models: paired by customer, with bootstrap intervals."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.evaluate import LANE, MODEL, NDCG
from pipelines.evaluate.settings import EvaluationSettings
from serving.bundle.format import Array
from serving.recommend.lanes import LANES

SEED = 11
CELLS = 2**16  # values that are drawn at a time


@dataclass(frozen=True)
class Difference:
    """Mean difference in NDCG@10 between a model and another over the same customers, and its interval."""

    mean: float
    low: float
    high: float
    reference: float  # the other model's mean
    customers: int

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}] against {self.reference:.4f}"

    def may_be_worse(self, tolerance: float) -> bool:
        """Returns whether the loss may exceed the tolerance: part of the interval lies beyond it.

        tolerance: share of the other model's mean.
        """
        return self.low < -tolerance * self.reference

    def is_worse(self, tolerance: float) -> bool:
        """Returns whether the loss exceeds the tolerance: the whole interval lies beyond it."""
        return self.high < -tolerance * self.reference


def differences(
    measures: pa.Table, model: str, other: str, settings: EvaluationSettings
) -> dict[str, Difference]:
    """Returns the difference between two models by lane; lanes without a shared customer are left out."""
    by_lane = {lane: difference(measures, model, other, lane, settings) for lane in LANES}
    return {lane: gain for lane, gain in by_lane.items() if gain is not None}


def difference(
    measures: pa.Table, model: str, other: str, lane: str, settings: EvaluationSettings
) -> Difference | None:
    """Returns NDCG@10 of a model minus that of another; None if no customer has both.

    The interval is the percentile bootstrap over customers: Efron and Tibshirani (1993).
    """
    own, others = (by_customer(measures, name, lane) for name in (model, other))
    shared = sorted(own.keys() & others.keys())
    if not shared:
        return None
    gains = np.array([own[customer] - others[customer] for customer in shared])
    low, high = bootstrap_interval(gains, settings)
    reference = float(np.mean([others[customer] for customer in shared]))
    return Difference(float(gains.mean()), low, high, reference, len(shared))


def bootstrap_interval(values: Array, settings: EvaluationSettings) -> tuple[float, float]:
    """Returns the percentile bootstrap interval of the mean of values, (n,) float64."""
    tail = (1 - settings.confidence) / 2
    low, high = np.quantile(_resampled_means(values, settings.resamples), [tail, 1 - tail])
    return float(low), float(high)


def mean(measures: pa.Table, model: str, lane: str) -> float | None:
    """Returns the mean NDCG@10 of a model in a lane; None if it was not measured there."""
    values = select_lane(measures, model, lane)[NDCG]
    return float(pc.mean(values).as_py()) if len(values) else None


def by_customer(measures: pa.Table, model: str, lane: str) -> Mapping[str, float]:
    """Returns NDCG@10 of a model in a lane by customer."""
    rows = select_lane(measures, model, lane)
    return dict(zip(rows[c.CUSTOMER].to_pylist(), rows[NDCG].to_pylist(), strict=True))


def select_lane(measures: pa.Table, model: str, lane: str) -> pa.Table:
    """Returns the measures of one model in one lane."""
    return measures.filter(pc.and_(pc.equal(measures[MODEL], model), pc.equal(measures[LANE], lane)))


def compose(measures: pa.Table, measured_as: Mapping[str, str], name: str) -> pa.Table:
    """Returns the measures of a model that is composed of others, under a new name.

    measured_as: by lane, the model whose measures it has.
    """
    lanes = [select_lane(measures, model, lane) for lane, model in measured_as.items()]
    rows = pa.concat_tables(lanes)
    index = rows.schema.get_field_index(MODEL)
    return rows.set_column(index, MODEL, pa.repeat(name, rows.num_rows))


def _resampled_means(values: Array, resamples: int) -> Array:
    """Returns the means of resamples with replacement, (resamples,) float64."""
    rng, n = np.random.default_rng(SEED), len(values)
    at_a_time = max(1, CELLS // n)
    sizes = [min(at_a_time, resamples - start) for start in range(0, resamples, at_a_time)]
    return np.concatenate([values[rng.integers(0, n, (size, n))].mean(axis=1) for size in sizes])
