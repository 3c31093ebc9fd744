"""The gate: a model goes live only when it is measured to be no worse than the one that serves."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.evaluate import LANE, MODEL, NDCG
from pipelines.sweep import Evaluation, SweepFile
from serving.bundle import Array
from serving.recommender import BASELINES, LANES

CHALLENGER, CHAMPION = "challenger", "champion"
SEED = 11

Verdict = Literal["FIRST", "PROMOTED", "REFUSED"]


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


@dataclass(frozen=True)
class Decision:
    """A verdict, its reasons in words, and the component that is to answer each lane."""

    verdict: Verdict
    reasons: list[str]
    lanes: dict[str, str] = field(default_factory=dict)


def decide(judged: pa.Table, lanes: dict[str, str], sweep: SweepFile, has_champion: bool) -> Decision:
    """The verdict over a table of `evaluate.evaluate` for challenger, baselines and champion.

    A first model has no champion to lose against: a lane in which it loses to a baseline is
    answered by that baseline, and the rest goes live. Later on such a model is refused.
    """
    worse: dict[str, tuple[str, str]] = {
        lane: found for lane in LANES if (found := _worse_than_baselines(judged, lane, sweep))
    }
    if not has_champion:
        kept = {lane: worse[lane][0] if lane in worse else component for lane, component in lanes.items()}
        return Decision("FIRST", _told(lanes, worse), kept)
    against = _against_champion(judged, sweep)
    failed = [reason for _, reason in worse.values()] + [
        f"{lane}: may be worse than the champion, NDCG@10 {found}"
        for lane, found in against.items()
        if _is_worse(found, sweep.gate.tolerance)
    ]
    if failed:
        return Decision("REFUSED", failed, lanes)
    gains = [f"{lane}: no worse than the champion, NDCG@10 {found}" for lane, found in against.items()]
    return Decision("PROMOTED", gains, lanes)


def difference(
    judged: pa.Table, model: str, other: str, lane: str, settings: Evaluation
) -> Difference | None:
    """NDCG@10 of a model minus another's, by customer, with a bootstrap interval; None without customers.

    Efron and Tibshirani (1993), percentile interval over resampled customers.
    """
    own, others = (_by_customer(judged, name, lane) for name in (model, other))
    shared = sorted(own.keys() & others.keys())
    if not shared:
        return None
    gains = np.array([own[customer] - others[customer] for customer in shared])
    means = _resampled_means(gains, settings.resamples)
    tail = (1 - settings.confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    reference = float(np.mean([others[customer] for customer in shared]))
    return Difference(float(gains.mean()), float(low), float(high), reference, len(shared))


def _worse_than_baselines(judged: pa.Table, lane: str, sweep: SweepFile) -> tuple[str, str] | None:
    """The best baseline of a lane and the reason, where the challenger is worse than it."""
    measured = {name: _by_customer(judged, name, lane) for name in BASELINES}
    means = {name: float(np.mean(list(found.values()))) for name, found in measured.items() if found}
    if not means:
        return None
    best = max(means, key=lambda name: means[name])
    found = difference(judged, CHALLENGER, best, lane, sweep.evaluation)
    if found is None or not _is_worse(found, sweep.gate.tolerance):
        return None
    return best, f"{lane}: may be worse than {best}, NDCG@10 {found}"


def _against_champion(judged: pa.Table, sweep: SweepFile) -> dict[str, Difference]:
    """The difference to the champion in each lane in which both were judged."""
    found = {lane: difference(judged, CHALLENGER, CHAMPION, lane, sweep.evaluation) for lane in LANES}
    return {lane: one for lane, one in found.items() if one is not None}


def _is_worse(found: Difference, tolerance: float) -> bool:
    """Whether the loss may be more than tolerated: the interval reaches below the tolerance."""
    return found.low < -tolerance * found.reference


def _told(lanes: dict[str, str], worse: dict[str, tuple[str, str]]) -> list[str]:
    return [
        f"{worse[lane][1]}: {worse[lane][0]} answers it"
        if lane in worse
        else f"{lane}: {component} answers it"
        for lane, component in lanes.items()
    ]


def _by_customer(judged: pa.Table, model: str, lane: str) -> dict[str, float]:
    rows = judged.filter(pc.and_(pc.equal(judged[MODEL], model), pc.equal(judged[LANE], lane)))
    return dict(zip(rows[c.CUSTOMER].to_pylist(), rows[NDCG].to_pylist(), strict=True))


def _resampled_means(values: Array, resamples: int) -> Array:
    """Means of resamples with replacement, (resamples,)."""
    rng = np.random.default_rng(SEED)
    n = len(values)
    return np.array([values[rng.integers(0, n, n)].mean() for _ in range(resamples)])
