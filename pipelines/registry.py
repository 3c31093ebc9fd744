"""The registry act: versions of the model, the aliases that say who serves, and why."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

import serving
from pipelines.settings import settings
from pipelines.sweep import Chosen
from pipelines.tracking import client
from serving.errors import NightshelfError
from serving.registry import ABSENT, ALIAS

PREVIOUS = "previous"
CHOSEN = "chosen"
REASON = "reason"
SERVING = Path(serving.__file__).parent
REQUIREMENTS = ["mlflow-skinny", "numpy", "pandas", "pydantic", "pydantic-settings", "starlette"]


@dataclass(frozen=True)
class Champion:
    """The version that serves, and the settings it was trained with."""

    version: str
    chosen: Chosen


def champion() -> Champion | None:
    """Who serves, or None where nobody does yet."""
    found = _aliased(ALIAS)
    if found is None:
        return None
    return Champion(str(found.version), Chosen.model_validate_json(found.tags[CHOSEN]))


def register(folder: Path, run_id: str, tags: Mapping[str, str]) -> str:
    """The new version that holds the bundle of a folder, with its tags; it doesn't serve yet."""
    mlflow.set_tracking_uri(settings().tracking_uri)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(SERVING / "pyfunc.py"),
            artifacts={"bundle": str(folder)},
            code_paths=[str(SERVING)],
            pip_requirements=REQUIREMENTS,
        )
    client().update_run(run_id, status="RUNNING")
    _ensure_model()
    version = client().create_model_version(
        settings().model_name, logged.model_uri, run_id=run_id, tags=dict(tags), model_id=logged.model_id
    )
    return str(version.version)


def promote(version: str, reason: str) -> None:
    """Makes a version the champion, and the one before it the alias `previous`.

    The alias `champion` moves last and in one step: whoever looks sees the one or the other.
    """
    name = settings().model_name
    new, old = find(version), _aliased(ALIAS)
    client().set_model_version_tag(name, new.version, REASON, reason)
    if old and old.version != new.version:
        client().set_registered_model_alias(name, PREVIOUS, old.version)
    client().set_registered_model_alias(name, ALIAS, new.version)


def rollback(to: str | None, reason: str) -> str:
    """The version that serves again: the one asked for, or the one that served before."""
    target = to or (found.version if (found := _aliased(PREVIOUS)) else None)
    if target is None:
        raise NightshelfError("no version served before this one: name one with --to")
    promote(str(target), reason)
    return str(target)


def find(version: str) -> ModelVersion:
    """A version by its number; raises NightshelfError where there is none."""
    try:
        return client().get_model_version(settings().model_name, version)
    except MlflowException:
        raise NightshelfError(
            f"the registry has no version {version!r} of {settings().model_name!r}: see `nightshelf status`"
        ) from None


def versions() -> list[ModelVersion]:
    """All versions, the newest first."""
    return sorted(
        client().search_model_versions(f"name = '{settings().model_name}'"),
        key=lambda version: -int(version.version),
    )


def chosen_tags(
    chosen: Chosen, verdict: str, reasons: list[str], metrics: Mapping[str, float]
) -> dict[str, str]:
    """What a version remembers of its night."""
    told = {name: f"{value:.6f}" for name, value in metrics.items()}
    return {CHOSEN: chosen.model_dump_json(), "verdict": verdict, "reasons": json.dumps(reasons)} | told


def _aliased(alias: str) -> ModelVersion | None:
    try:
        return client().get_model_version_by_alias(settings().model_name, alias)
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise NightshelfError(
            f"the registry at {settings().tracking_uri} gives no answer: is MLflow up?"
        ) from None


def _ensure_model() -> None:
    try:
        client().create_registered_model(settings().model_name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
