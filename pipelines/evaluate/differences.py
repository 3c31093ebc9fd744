"""Differences between models: paired by customer, with intervals."""

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


@dataclass(frozen=True)
class Difference:
    """How much better one model is than another: the mean over paired customers, and its interval."""

    mean: float
    low: float
    high: float
    reference: float  # the other model's mean
    customers: int

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}] against {self.reference:.4f}"

    def may_be_worse(self, tolerance: float) -> bool:
        """Whether the loss may be more than tolerated: the interval reaches below the tolerance."""
        return self.low < -tolerance * self.reference

    def is_worse(self, tolerance: float) -> bool:
        """Whether the loss is surely more than tolerated: the whole interval lies below the tolerance."""
        return self.high < -tolerance * self.reference


def differences(
    judged: pa.Table, model: str, other: str, settings: EvaluationSettings
) -> dict[str, Difference]:
    """The difference between two models in each lane in which both were judged."""
    found = {lane: difference(judged, model, other, lane, settings) for lane in LANES}
    return {lane: one for lane, one in found.items() if one is not None}


def difference(
    judged: pa.Table, model: str, other: str, lane: str, settings: EvaluationSettings
) -> Difference | None:
    """NDCG@10 of a model minus another's, by customer, with a bootstrap interval; None without customers.

    Efron and Tibshirani (1993), percentile interval over resampled customers.
    """
    own, others = (by_customer(judged, name, lane) for name in (model, other))
    shared = sorted(own.keys() & others.keys())
    if not shared:
        return None
    gains = np.array([own[customer] - others[customer] for customer in shared])
    low, high = bootstrap_interval(gains, settings)
    reference = float(np.mean([others[customer] for customer in shared]))
    return Difference(float(gains.mean()), low, high, reference, len(shared))


def bootstrap_interval(values: Array, settings: EvaluationSettings) -> tuple[float, float]:
    """Between which the mean of values, (n,), lies, by the bootstrap."""
    tail = (1 - settings.confidence) / 2
    low, high = np.quantile(_resampled_means(values, settings.resamples), [tail, 1 - tail])
    return float(low), float(high)


def mean(judged: pa.Table, model: str, lane: str) -> float | None:
    """The mean NDCG@10 of a model in a lane, None where it wasn't judged there."""
    found = select_lane(judged, model, lane)[NDCG]
    return float(pc.mean(found).as_py()) if len(found) else None


def by_customer(judged: pa.Table, model: str, lane: str) -> Mapping[str, float]:
    """NDCG@10 of a model in a lane by customer."""
    rows = select_lane(judged, model, lane)
    return dict(zip(rows[c.CUSTOMER].to_pylist(), rows[NDCG].to_pylist(), strict=True))


def select_lane(judged: pa.Table, model: str, lane: str) -> pa.Table:
    """The rows of a table of measures that are of a model in a lane."""
    return judged.filter(pc.and_(pc.equal(judged[MODEL], model), pc.equal(judged[LANE], lane)))


def compose(judged: pa.Table, measured_as: Mapping[str, str], name: str) -> pa.Table:
    """The rows of a model under a name, each lane's being those of the model that answers it."""
    own = [select_lane(judged, model, lane) for lane, model in measured_as.items()]
    rows = pa.concat_tables(own)
    at = rows.schema.get_field_index(MODEL)
    return rows.set_column(at, MODEL, pa.repeat(name, rows.num_rows))


def _resampled_means(values: Array, resamples: int) -> Array:
    """Means of resamples with replacement, (resamples,)."""
    rng = np.random.default_rng(SEED)
    n = len(values)
    return np.array([values[rng.integers(0, n, n)].mean() for _ in range(resamples)])
