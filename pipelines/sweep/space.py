"""The search space of the sweep, and the candidates sampled from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

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
    """Search space of the ranker. All rankers share ALS settings, and so the fits of their windows."""

    draws: int = Field(ge=0)
    als: int = Field(1, ge=1)  # the number of these ALS settings among those drawn
    settings: dict[str, list[float | str]]


class Space(FrozenModel):
    """The values that a sweep samples from."""

    draws: int = Field(ge=1)
    als: dict[str, list[float]]
    ranker: RankerSpace
    half_lives: dict[Literal["trend", "repurchase"], list[float]]


class SweepFile(FrozenModel):
    """All of sweep.toml: search spaces by name."""

    sweeps: dict[str, Space]


def load(file: Path = FILE) -> SweepFile:
    """Returns the search spaces; raises NightshelfError naming the wrong value."""
    return toml.read(SweepFile, file, file.name, ignored=MOVED)


def candidates(sweep: str) -> list[Candidate]:
    """Returns the candidates of a sweep: baselines, then sampled ALS and ranker settings (fixed seed).

    Raises NightshelfError if sweep.toml has no sweep of this name.
    """
    sweeps = load().sweeps
    if sweep not in sweeps:
        raise NightshelfError(f"{FILE.name} has no sweep {sweep!r}: choose one of {', '.join(sweeps)}")
    space = sweeps[sweep]
    baselines = [Candidate(name="popularity", component="popularity")]
    for component in ("trend", "repurchase"):
        baselines += [
            Candidate(name=f"{component}-{days:g}d", component=component, half_life_days=days)
            for days in space.half_lives[component]
        ]
    sampled = [AlsSettings.model_validate(values) for values in _sampled(space.als, space.draws)]
    als = [
        Candidate(name=f"als-{number:02}", component="als", als=settings)
        for number, settings in enumerate(sampled, 1)
    ]
    return baselines + als + _rankers(space.ranker, sampled[space.ranker.als - 1])


def edges(chosen: AlsSettings, sweep: str) -> list[str]:
    """Returns the names of chosen settings at the edge of the search space: a better value may lie beyond."""
    space = load().sweeps[sweep].als
    values: dict[str, Any] = chosen.model_dump()
    return [
        name
        for name, options in space.items()
        if len(options) > 1 and values[name] in (min(options), max(options))
    ]


def _rankers(space: RankerSpace, als: AlsSettings) -> list[Candidate]:
    sampled = _sampled(space.settings, space.draws)
    return [
        Candidate(
            name=f"ranker-{number:02}",
            component="ranker",
            als=als,
            ranker=RankerSettings.model_validate(values),
        )
        for number, values in enumerate(sampled, 1)
    ]


def _sampled(options: Mapping[str, Sequence[object]], draws: int) -> list[dict[str, Any]]:
    """Returns some combinations of the options, without repetition."""
    # Importing scikit-learn takes half a second; most processes that read the search space sample nothing.
    from sklearn.model_selection import ParameterSampler

    return [dict(values) for values in ParameterSampler(options, n_iter=draws, random_state=SEED)]
