"""The registry act: versions of the model, the aliases that say who serves, and why.

Every act is a run of its own in the experiment `registry`: begun before an alias moves, ended after. An act
that was killed in between is ended by the next one, as far as it came.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import mlflow
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

import serving
from pipelines import tracking
from pipelines.evaluate import NDCG, flat_name
from pipelines.settings import settings
from pipelines.sweep import Chosen
from pipelines.tracking import client
from serving.bundle import Bundle
from serving.errors import NightshelfError
from serving.recommender import LANES
from serving.registry import ABSENT, ALIAS, opened_version

CHALLENGER = "challenger"
PREVIOUS = "previous"
CHOSEN = "chosen"
REASON = "reason"
REASON_LETTERS = 1000
HELD = "held"
MEASURED = {lane: flat_name(NDCG, lane) for lane in LANES}
EXPERIMENT = "registry"
ACT, VERSION, BEFORE = "act", "version", "before"
SERVING = Path(serving.__file__).parent
REQUIREMENTS = ["mlflow-skinny", "numpy", "pandas", "pydantic", "pydantic-settings", "starlette"]
EXAMPLE = [{"customer": "+7 (905) 545-5709", "lane": "for-you", "n": 10}]  # nobody's number

Act = Literal["FIRST", "PROMOTED", "REFUSED", "BY HAND", "ROLLBACK"]


@dataclass(frozen=True)
class Champion:
    """The version that serves, the settings it was fitted with, and what was measured of them."""

    version: str
    chosen: Chosen
    measured: dict[str, float]  # its NDCG@10 on its own night, by lane
    as_of: str  # the last day of its night
    held: str  # why only a surely better model may follow it; empty as a rule


def champion() -> Champion | None:
    """Who serves, or None where nobody does yet."""
    found = aliased(ALIAS)
    if found is None:
        return None
    tags = found.tags
    return Champion(
        str(found.version),
        Chosen.model_validate_json(tags[CHOSEN]),
        {lane: float(tags[name]) for lane, name in MEASURED.items() if name in tags},
        tags.get("as_of", ""),
        tags.get(HELD, ""),
    )


def register(folder: Path, run_id: str, tags: Mapping[str, str]) -> str:
    """The new version that holds the bundle of a folder, with its tags and the alias `challenger`."""
    mlflow.set_tracking_uri(settings().tracking_uri)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(SERVING / "pyfunc.py"),
            artifacts={"bundle": str(folder)},
            code_paths=[str(SERVING)],
            pip_requirements=REQUIREMENTS,
            input_example=EXAMPLE,
        )
    client().update_run(run_id, status="RUNNING")
    _ensure_model()
    name = settings().model_name
    version = client().create_model_version(
        name, logged.model_uri, run_id=run_id, tags=dict(tags), model_id=logged.model_id
    )
    client().set_registered_model_alias(name, CHALLENGER, version.version)
    return str(version.version)


def promote(version: str, reason: str, act: Act = "BY HAND") -> None:
    """Makes a version the champion, and the one before it the alias `previous`.

    The alias `champion` moves in one step: whoever looks sees the one or the other.
    """
    if not reason.strip():
        raise NightshelfError("a reason is missing: it is what is left to read when somebody asks why")
    name, reason = settings().model_name, reason[:REASON_LETTERS]
    new, old = find(version), aliased(ALIAS)
    before = str(old.version) if old and old.version != new.version else ""
    with _recorded(act, str(new.version), before, reason):
        client().set_model_version_tag(name, new.version, REASON, reason)
        client().set_model_version_tag(name, new.version, HELD, reason if act == "ROLLBACK" else "")
        client().set_registered_model_alias(name, ALIAS, new.version)
        if before:
            client().set_registered_model_alias(name, PREVIOUS, before)


def rollback(to: str | None, reason: str) -> str:
    """The version that serves again: the one asked for, or the one that served before.

    From then on a night promotes only what is surely better, until a person promotes a version.
    """
    _end_interrupted()
    target = to or (str(found.version) if (found := aliased(PREVIOUS)) else None)
    if target is None:
        raise NightshelfError("no version served before this one: name one with --to")
    promote(target, reason, "ROLLBACK")
    return target


def refuse(version: str, reasons: list[str]) -> None:
    """Keeps on record that a version was refused, and why."""
    with _recorded("REFUSED", version, "", "; ".join(reasons)):
        pass


def find(version: str) -> ModelVersion:
    """A version by its number; raises NightshelfError where there is none."""
    try:
        return client().get_model_version(settings().model_name, version)
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        raise NightshelfError(
            f"the registry has no version {version!r} of {settings().model_name!r}: see `nightshelf status`"
        ) from None


def bundle(version: str) -> Bundle:
    """The bundle of a version as the registry gives it; raises BundleError or RegistryError."""
    mlflow.set_tracking_uri(settings().tracking_uri)  # a client's own address would not reach its downloads
    return opened_version(find(version))


def aliases() -> dict[str, list[str]]:
    """The aliases of each version that has one."""
    found: dict[str, list[str]] = {}
    for alias, version in client().get_registered_model(settings().model_name).aliases.items():
        found.setdefault(str(version), []).append(alias)
    return found


def versions() -> list[ModelVersion]:
    """All versions, the newest first."""
    return sorted(
        client().search_model_versions(f"name = '{settings().model_name}'"),
        key=lambda version: -int(version.version),
    )


def acts() -> list[Run]:
    """What was promoted, refused and rolled back, the newest first."""
    found: list[Run] = list(
        client().search_runs(
            [tracking.experiment(EXPERIMENT)],
            f"tags.model = '{settings().model_name}'",
            order_by=["start_time DESC"],
            max_results=1000,
        )
    )
    return found


def note(version: str, tags: Mapping[str, Any]) -> None:
    """Adds tags to a version."""
    for name, value in tags.items():
        client().set_model_version_tag(settings().model_name, version, name, value)


def verdict_tags(verdict: str, reasons: list[str]) -> dict[str, str]:
    """What a version remembers of its gate."""
    kept = list(reasons)
    while len(told := json.dumps(kept)) > tracking.TAG_LETTERS:
        kept.pop()
    return {"verdict": verdict, "reasons": told}


def aliased(alias: str) -> ModelVersion | None:
    """The version that an alias names, or None; raises NightshelfError where there is no answer."""
    try:
        return client().get_model_version_by_alias(settings().model_name, alias)
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise NightshelfError(
            f"the registry at {settings().tracking_uri} gives no answer: is MLflow up?"
        ) from None


@contextmanager
def _recorded(act: Act, version: str, before: str, reason: str) -> Iterator[None]:
    """Keeps an act on record while it is done."""
    _end_interrupted()
    tags = {"model": settings().model_name, ACT: act, VERSION: version, BEFORE: before}
    run = client().create_run(
        tracking.experiment(EXPERIMENT),
        run_name=f"{act.lower()} {version}",
        tags=tags | {REASON: reason[: tracking.TAG_LETTERS]},
    )
    yield
    client().set_terminated(run.info.run_id)


def _end_interrupted() -> None:
    """Ends the acts that were killed: one whose alias moved is done, another never was."""
    serving_now = aliased(ALIAS)
    for run in acts():
        if run.info.status != "RUNNING":
            continue
        tags = run.data.tags
        moved = serving_now is not None and str(serving_now.version) == tags[VERSION]
        if moved and tags[BEFORE]:
            client().set_registered_model_alias(settings().model_name, PREVIOUS, tags[BEFORE])
        client().set_terminated(run.info.run_id, "FINISHED" if moved else "KILLED")


def _ensure_model() -> None:
    try:
        client().create_registered_model(settings().model_name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
