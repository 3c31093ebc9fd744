"""The search space, and the candidates drawn from it."""

from itertools import cycle
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from sklearn.model_selection import ParameterSampler

from pipelines.run.moved_settings import MOVED
from pipelines.train.als import AlsSettings
from pipelines.train.ranker import RankerSettings
from pipelines.train.recipe import Candidate
from serving import toml
from serving.errors import NightshelfError
from serving.toml import FrozenModel

FILE = Path(__file__).with_name("sweep.toml")
SEED = 7


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
    """All of sweep.toml: search spaces by name."""

    sweeps: dict[str, Space]


def load(file: Path = FILE) -> SweepFile:
    """Returns the search spaces; raises NightshelfError naming what is wrong."""
    return toml.read(SweepFile, file, file.name, ignored=MOVED)


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
