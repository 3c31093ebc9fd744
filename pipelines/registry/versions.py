"""Model versions in the registry, with their tags and aliases."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

import serving
from pipelines.evaluate import NDCG, flat_name
from pipelines.registry import approvals
from pipelines.run import tracking
from pipelines.run.tracking import client
from pipelines.settings import settings
from pipelines.train.recipe import ModelSettings
from serving.bundle import files
from serving.bundle.format import Bundle
from serving.errors import BundleError, NightshelfError
from serving.live.registry import ALIAS, NOT_FOUND_CODES, load_version
from serving.recommend.lanes import LANES

CHALLENGER = "challenger"
CHOSEN = "chosen"
HELD = "held"
LIVE_AS_OF = "live_as_of"
NDCG_TAGS = {lane: flat_name(NDCG, lane) for lane in LANES}
SERVING = Path(serving.__file__).parent
REQUIREMENTS = [
    "mlflow-skinny",
    "numba",
    "numpy",
    "pandas",
    "pydantic",
    "pydantic-settings",
    "starlette",
]
EXAMPLE = [{"customer": "+7 (905) 545-5709", "lane": "for-you", "n": 10}]  # an invented phone number


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Champion:
    """The version that serves, with its settings and measures."""

    version: str
    chosen: ModelSettings
    measured: dict[str, float]  # NDCG@10 by lane, from its own nightly run
    as_of: str  # the day of its nightly run
    held: str  # reason of the rollback to it, after which only better settings may follow; else empty
    backtested_until: str  # the last day of orders that a backtest measured; empty before the first


def champion() -> Champion | None:
    """Returns the champion, or None if no version was promoted yet.

    Raises NightshelfError if this installation didn't approve the version with the champion's alias, or if
    its tags aren't those of a nightly run.
    """
    version = find_alias(ALIAS)
    if version is None:
        return None
    approvals.require(version)
    try:
        return _champion(version)
    except (KeyError, ValueError) as error:
        raise NightshelfError(
            f"the tags of version {version.version} aren't those of a nightly run ({type(error).__name__}):"
            " return to another version with `nightshelf rollback --to VERSION --reason TEXT`"
        ) from None


def _champion(version: ModelVersion) -> Champion:
    tags = version.tags
    return Champion(
        str(version.version),
        ModelSettings.model_validate_json(tags[CHOSEN]),
        {lane: float(tags[name]) for lane, name in NDCG_TAGS.items() if name in tags},
        tags.get("as_of", ""),
        tags.get(HELD, ""),
        tags.get(LIVE_AS_OF, ""),
    )


def register(folder: Path, run_id: str, tags: Mapping[str, str]) -> str:
    """Registers the bundle in a folder as a new version with alias `challenger`; returns its number."""
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
    approvals.seal_registration(version, files.manifest(folder))
    client().set_registered_model_alias(name, CHALLENGER, version.version)
    return str(version.version)


def find(version: str) -> ModelVersion:
    """Returns a version by its number; raises NightshelfError if it does not exist."""
    try:
        return client().get_model_version(settings().model_name, version)
    except MlflowException as error:
        if error.error_code not in NOT_FOUND_CODES:
            raise
        raise NightshelfError(
            f"the registry has no version {version!r} of {settings().model_name!r}: see `nightshelf status`"
        ) from None


def bundle(version: str) -> Bundle:
    """Downloads and returns the bundle of a version; raises BundleError or RegistryError."""
    mlflow.set_tracking_uri(settings().tracking_uri)  # downloads use the global address, not the client's
    return load_version(find(version))


def readable_bundle(version: str) -> Bundle | None:
    """Returns a version's bundle, or None (with a warning) if it can't be read."""
    try:
        return bundle(version)
    except BundleError as error:
        log.warning(
            "the bundle of version %s can't be read, so nothing is compared with it: %s", version, error
        )
        return None


def aliases() -> dict[str, list[str]]:
    """Returns the aliases by version; versions without an alias are left out."""
    by_version: dict[str, list[str]] = {}
    for alias, version in client().get_registered_model(settings().model_name).aliases.items():
        by_version.setdefault(str(version), []).append(alias)
    return by_version


def versions() -> list[ModelVersion]:
    """Returns all versions, the newest first."""
    return sorted(
        client().search_model_versions(f"name = '{settings().model_name}'"),
        key=lambda version: -int(version.version),
    )


def add_tags(version: str, tags: Mapping[str, Any]) -> None:
    """Adds tags to a version."""
    for name, value in tags.items():
        client().set_model_version_tag(settings().model_name, version, name, value)


def verdict_tags(verdict: str, reasons: list[str]) -> dict[str, str]:
    """Returns the tags with the gate's verdict; the last reasons are dropped if the tag gets too long."""
    kept = list(reasons)
    while len(text := json.dumps(kept)) > tracking.MAX_TAG_LENGTH:
        kept.pop()
    return {"verdict": verdict, "reasons": text}


def find_alias(alias: str) -> ModelVersion | None:
    """Returns the version of an alias, or None; raises NightshelfError if MLflow does not answer."""
    try:
        return client().get_model_version_by_alias(settings().model_name, alias)
    except MlflowException as error:
        if error.error_code in NOT_FOUND_CODES:
            return None
        raise NightshelfError(
            f"the registry at {settings().tracking_address} does not answer: check that MLflow is running"
        ) from None


def _ensure_model() -> None:
    try:
        client().create_registered_model(settings().model_name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
