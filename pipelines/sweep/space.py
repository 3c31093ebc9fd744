"""The search space, the candidates drawn from it, and which of them win."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveFloat
from sklearn.model_selection import ParameterSampler

from pipelines.evaluate import NDCG
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import RuleSettings
from pipelines.train.ranker import RankerSettings
from serving import toml
from serving.errors import NightshelfError
from serving.recommend.recommender import BASELINES, LANES
from serving.toml import FrozenModel

FILE = Path(__file__).with_name("sweep.toml")
SEED = 7

Metrics = Mapping[str, Mapping[str, float]]  # lane -> metric -> mean over customers


class Evaluation(FrozenModel):
    """How long the windows are and how sure an interval is."""

    horizon_days: int = Field(ge=1)
    folds: int = Field(ge=1)
    resamples: int = Field(ge=100)
    confidence: float = Field(gt=0, lt=1)


class Thresholds(FrozenModel):
    """What the gate asks for."""

    tolerance: float = Field(ge=0, lt=1)
    sure: float = Field(gt=0, lt=1)
    live_customers: int = Field(ge=2)
    measured_apart: float = Field(gt=1)
    measured_lost: float = Field(gt=1)
    live_apart: float = Field(gt=1)
    kept: float = Field(ge=0, le=1)
    steady: float = Field(ge=0, le=1)
    answer_seconds: float = Field(gt=0)


class Business(FrozenModel):
    """How much the products' weight may count."""

    most_lost: float = Field(ge=0, lt=1)
    strengths: tuple[PositiveFloat, ...]


class RankerSpace(FrozenModel):
    """The rankers that a sweep tries, each over ALS settings that are tried by themselves too."""

    draws: int = Field(ge=0)
    settings: dict[str, list[float]]


class Space(FrozenModel):
    """The values that a sweep may draw from."""

    draws: int = Field(ge=1)
    als: dict[str, list[float]]
    ranker: RankerSpace
    half_lives: dict[Literal["trend", "repurchase"], list[float]]


class SweepFile(FrozenModel):
    """All of sweep.toml."""

    evaluation: Evaluation
    gate: Thresholds
    rules: RuleSettings
    business: Business
    sweeps: dict[str, Space]


def load(file: Path = FILE) -> SweepFile:
    """The search spaces and thresholds; raises NightshelfError naming what is wrong."""
    return toml.read(SweepFile, file, file.name)


def candidates(sweep: str) -> list[Candidate]:
    """The candidates of a named sweep: the baselines, then the seeded draws of ALS and of ranker settings."""
    sweeps = load().sweeps
    if sweep not in sweeps:
        raise NightshelfError(f"there is no sweep {sweep!r} in {FILE.name}; there are: {', '.join(sweeps)}")
    space = sweeps[sweep]
    found = [Candidate(name="popularity", component="popularity")]
    for component in ("trend", "repurchase"):
        found += [
            Candidate(name=f"{component}-{days:g}d", component=component, half_life_days=days)
            for days in space.half_lives[component]
        ]
    drawn = [
        AlsSettings.model_validate(dict(one))
        for one in ParameterSampler(space.als, n_iter=space.draws, random_state=SEED)
    ]
    found += [
        Candidate(name=f"als-{number:02}", component="als", als=one) for number, one in enumerate(drawn, 1)
    ]
    return found + _rankers(space.ranker, drawn)


def choose(tried: list[tuple[Candidate, Metrics]]) -> Chosen:
    """The settings and lanes that were best on the validation window.

    Trend and re-purchase are the best of their kind for everything. Of the others those ALS settings,
    alone or with a ranker over them, are taken with which the lanes, each answered by its best
    component, score highest together. A ranker that is best in no lane is left out.
    """
    baselines: dict[str, tuple[Candidate, Metrics]] = {name: _best_of(tried, name) for name in BASELINES}
    plain: dict[str, Metrics] = {name: metrics for name, (_, metrics) in baselines.items()}
    factors = {candidate.als: metrics for candidate, metrics in tried if candidate.component == "als"}
    options = [(als, None, plain | {"als": metrics}) for als, metrics in factors.items()] + [
        (one.als, one.ranker, plain | {"als": factors.get(one.als, {}), "ranker": metrics})
        for one, metrics in tried
        if one.component == "ranker"
    ]
    als, ranker, scored = max(options, key=lambda option: _together(option[2]))
    lanes = {lane: best_component(scored, lane) for lane in LANES}
    half_lives = {name: baselines[name][0].half_life_days for name in ("trend", "repurchase")}
    return Chosen(
        als=als or AlsSettings.model_validate({}),
        ranker=ranker if "ranker" in lanes.values() else None,
        half_lives=HalfLives.model_validate(half_lives),
        lanes=lanes,
    )


def best_component(scored: Mapping[str, Metrics], lane: str) -> str:
    """The component with the highest NDCG in a lane; the first of equals."""
    return max(scored, key=lambda name: _ndcg(scored[name], lane))


def edges(chosen: AlsSettings, sweep: str) -> list[str]:
    """The settings chosen from the edge of what was tried: a better value may lie beyond."""
    space = load().sweeps[sweep].als
    values: dict[str, Any] = chosen.model_dump()
    return [
        name for name, tried in space.items() if len(tried) > 1 and values[name] in (min(tried), max(tried))
    ]


def _rankers(space: RankerSpace, factors: list[AlsSettings]) -> list[Candidate]:
    drawn = ParameterSampler(space.settings, n_iter=space.draws, random_state=SEED)
    return [
        Candidate(
            name=f"ranker-{number:02}",
            component="ranker",
            als=als,
            ranker=RankerSettings.model_validate(dict(one)),
        )
        for number, (one, als) in enumerate(zip(drawn, cycle(factors), strict=False), 1)
    ]


def _together(scored: Mapping[str, Metrics]) -> float:
    """The sum over lanes of the best NDCG in each."""
    return sum(max(_ndcg(metrics, lane) for metrics in scored.values()) for lane in LANES)


def _best_of(tried: list[tuple[Candidate, Metrics]], component: str) -> tuple[Candidate, Metrics]:
    same = [pair for pair in tried if pair[0].component == component]
    return max(same, key=lambda pair: sum(_ndcg(pair[1], lane) for lane in LANES))


def _ndcg(metrics: Metrics, lane: str) -> float:
    return metrics.get(lane, {}).get(NDCG, 0.0)
