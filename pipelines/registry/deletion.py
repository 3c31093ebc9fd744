"""Versions that were trained on a forgotten customer's orders, and their deletion with their artifacts."""

import logging
import shutil
from collections.abc import Set

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from pipelines.registry import acts, versions
from pipelines.run.tracking import client
from pipelines.settings import settings
from serving.bundle.format import find_row
from serving.errors import BundleError, NightshelfError, RegistryError
from serving.live import registry
from serving.live.registry import ALIAS

REASON = "trained on the orders of a forgotten customer"
ADVICE = (
    "trained on the customer's orders and still in MLflow: versions {}. The service treats the customer as"
    " unknown. To delete them with their artifacts, run the command again with --delete-versions; the version"
    " that serves stays until a nightly run has promoted another one"
)

log = logging.getLogger(__name__)


def forget(pseudonyms: Set[str], delete: bool) -> list[str]:
    """Searches all versions for a customer, and deletes those that hold one if asked; returns what to report.

    The champion is not deleted, since it serves.
    """
    holding = _holding(pseudonyms)
    champion = versions.find_alias(ALIAS)
    serving = str(champion.version) if champion else None
    deleted = [version for version in holding if delete and version != serving]
    for version in deleted:
        with acts.deletion(version, REASON):
            _delete(versions.find(version))
            _delete_copies(version)
    remaining = [version for version in holding if version not in deleted]
    lines = {"versions deleted: {}": deleted, ADVICE: remaining}
    return [line.format(", ".join(numbers)) for line, numbers in lines.items() if numbers]


def _holding(pseudonyms: Set[str]) -> list[str]:
    """Returns the versions whose bundles hold the customer, the newest first.

    A version whose bundle can't be read is left out, with a warning.
    """
    mlflow.set_tracking_uri(settings().tracking_uri)  # downloads use the global address, not the client's
    return [str(version.version) for version in versions.versions() if _holds(version, pseudonyms)]


def _holds(version: ModelVersion, pseudonyms: Set[str]) -> bool:
    try:
        customers = registry.customers(version)
    except (BundleError, RegistryError) as error:
        log.warning("version %s was not searched: %s", version.version, error)
        return False
    return any(find_row(customers, pseudonym) is not None for pseudonym in pseudonyms)


def _delete(version: ModelVersion) -> None:
    location = client().get_model_version_download_uri(version.name, version.version)
    try:
        get_artifact_repository(location).delete_artifacts()  # type: ignore[no-untyped-call]
    except NotImplementedError:
        raise NightshelfError(
            f"the artifacts of version {version.version} can't be deleted from here: delete {location}"
        ) from None
    if version.model_id:
        client().delete_logged_model(version.model_id)
    client().delete_model_version(version.name, version.version)


def _delete_copies(version: str) -> None:
    """Deletes the copies of a version on the disk of a service with the same HOME."""
    for folder in (settings().state / "bundles").glob(f"{version}-*"):
        shutil.rmtree(folder)
