"""The search space, the candidates drawn from it, and which of them win."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat
from sklearn.model_selection import ParameterSampler

from pipelines.evaluate import NDCG
from pipelines.train.als import AlsSettings
from pipelines.train.rules import RuleSettings
from serving import toml
from serving.errors import NightshelfError
from serving.recommender import BASELINES, LANES

FILE = Path(__file__).with_name("sweep.toml")
SEED = 7

Metrics = Mapping[str, Mapping[str, float]]  # lane -> metric -> mean over customers


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Evaluation(_Part):
    """How long the windows are and how sure an interval is."""

    horizon_days: int = Field(ge=1)
    folds: int = Field(ge=1)
    resamples: int = Field(ge=100)
    confidence: float = Field(gt=0, lt=1)


class Thresholds(_Part):
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


class Business(_Part):
    """How much the products' weight may count."""

    most_lost: float = Field(ge=0, lt=1)
    strengths: tuple[PositiveFloat, ...]


class HalfLives(_Part):
    """Days after which a purchase counts half in a baseline."""

    trend: float = Field(gt=0)
    repurchase: float = Field(gt=0)


class Space(_Part):
    """The values that a sweep may draw from."""

    draws: int = Field(ge=1)
    als: dict[str, list[float]]
    half_lives: dict[Literal["trend", "repurchase"], list[float]]


class SweepFile(_Part):
    """All of sweep.toml."""

    evaluation: Evaluation
    gate: Thresholds
    rules: RuleSettings
    business: Business
    sweeps: dict[str, Space]


class Candidate(_Part):
    """One thing to train and judge: a component, and what it is trained with."""

    name: str
    component: Literal["popularity", "trend", "repurchase", "als"]
    als: AlsSettings | None = None
    half_life_days: float | None = None

    def params(self) -> dict[str, Any]:
        """What MLflow compares candidates by."""
        own = {"half_life_days": self.half_life_days} if self.half_life_days else {}
        return {"component": self.component} | own | (self.als.model_dump() if self.als else {})


class Chosen(_Part):
    """What the sweep picked: the settings to train with, and the component that answers each lane."""

    als: AlsSettings
    half_lives: HalfLives
    lanes: dict[str, str]
    strength: float = Field(0.0, ge=0)  # with which the products' weight re-ranks the lanes


def load(file: Path = FILE) -> SweepFile:
    """The search spaces and thresholds; raises NightshelfError naming what is wrong."""
    return toml.read(SweepFile, file, file.name)


def candidates(sweep: str) -> list[Candidate]:
    """The candidates of a named sweep: the baselines, then the seeded draws of ALS settings."""
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
    drawn = ParameterSampler(space.als, n_iter=space.draws, random_state=SEED)
    return found + [
        Candidate(name=f"als-{number:02}", component="als", als=AlsSettings.model_validate(dict(settings)))
        for number, settings in enumerate(drawn, 1)
    ]


def choose(tried: list[tuple[Candidate, Metrics]]) -> Chosen:
    """The settings and lanes that were best on the validation window.

    Trend and re-purchase are the best of their kind for everything. Of the ALS candidates that one
    is taken with which the lanes, each answered by its best component, score highest together.
    """
    baselines: dict[str, tuple[Candidate, Metrics]] = {name: _best_of(tried, name) for name in BASELINES}
    factors = [(candidate, metrics) for candidate, metrics in tried if candidate.component == "als"]
    floor = {lane: max(_ndcg(metrics, lane) for _, metrics in baselines.values()) for lane in LANES}
    als, als_metrics = max(
        factors, key=lambda pair: sum(max(_ndcg(pair[1], lane), floor[lane]) for lane in LANES)
    )
    scored: dict[str, Metrics] = {name: metrics for name, (_, metrics) in baselines.items()} | {
        "als": als_metrics
    }
    half_lives = {name: baselines[name][0].half_life_days for name in ("trend", "repurchase")}
    return Chosen(
        als=als.als or AlsSettings.model_validate({}),
        half_lives=HalfLives.model_validate(half_lives),
        lanes={lane: best_component(scored, lane) for lane in LANES},
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


def _best_of(tried: list[tuple[Candidate, Metrics]], component: str) -> tuple[Candidate, Metrics]:
    same = [pair for pair in tried if pair[0].component == component]
    return max(same, key=lambda pair: sum(_ndcg(pair[1], lane) for lane in LANES))


def _ndcg(metrics: Metrics, lane: str) -> float:
    return metrics.get(lane, {}).get(NDCG, 0.0)
