"""Reads the MLflow registry: the champion's version, and the bundle of a version."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from serving.bundle import files
from serving.bundle.files import MANIFEST, load
from serving.bundle.format import Array, Bundle, Manifest
from serving.errors import BundleError, RegistryError
from serving.live import approval
from serving.settings import ServingSettings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

ALIAS = "champion"
BUNDLE = Path("artifacts", "bundle")  # the bundle's path in a registered model

# Error codes of MLflow for a missing model and for an unknown alias.
NOT_FOUND_CODES = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")

# The follower polls again in a moment; MLflow's default retries, which take minutes, would hide an outage.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def champion(settings: ServingSettings) -> "ModelVersion":
    """Returns the champion's version; raises RegistryError if there is none or the registry is down."""
    uri = settings.tracking_uri
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        raise RegistryError("there is no registry yet: run `nightshelf retrain`")  # MLflow would create one
    with _registry_errors(f"version of {settings.model_name} with the alias {ALIAS}"):
        import mlflow

        mlflow.set_tracking_uri(uri)  # downloads use this URI, not that of a client
        return mlflow.MlflowClient().get_model_version_by_alias(settings.model_name, ALIAS)


def verdict(version: "ModelVersion") -> dict[str, Any]:
    """Returns the gate's verdict on a version and its reasons; empty if no gate checked the version."""
    tags = version.tags
    if "verdict" not in tags:
        return {}
    try:
        reasons = json.loads(tags.get("reasons", "[]"))
    except (ValueError, RecursionError):
        reasons = []  # the gate wrote no such tag
    return {"verdict": tags["verdict"], "reasons": reasons}


def manifest(version: "ModelVersion") -> Manifest:
    """Downloads the manifest of a version's bundle, and returns it.

    Raises RegistryError if the download fails, and BundleError if the manifest is unusable.
    """
    with tempfile.TemporaryDirectory() as folder:
        return files.manifest(_download(version, BUNDLE / MANIFEST, Path(folder)).parent)


def customers(version: "ModelVersion") -> Array:
    """Downloads the pseudonyms that a version's bundle holds, sorted, (C,) bytes.

    Raises RegistryError if the download fails, and BundleError if the file is unusable.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = _download(version, BUNDLE / "customers.npy", Path(folder))
        try:
            return cast(Array, np.load(file, allow_pickle=False))
        except (OSError, ValueError) as error:
            raise BundleError(f"its customers can't be read ({type(error).__name__})") from None


def seal(key: str, kind: str, version: "ModelVersion", bundle: Manifest, outcome: dict[str, Any]) -> str:
    """Returns the seal of a version; see `approval.seal`. outcome: the gate's verdict, {} without one."""
    return approval.seal(key, kind, version.name, str(version.version), bundle, outcome)


def is_approved(key: str, version: "ModelVersion", bundle: Manifest) -> bool:
    """Returns whether this installation approved a version with this bundle and its present verdict."""
    expected = seal(key, approval.APPROVAL, version, bundle, verdict(version))
    return approval.matches(version.tags.get(approval.APPROVAL, ""), expected)


def set_tag(settings: ServingSettings, version: "ModelVersion", name: str, value: str) -> None:
    """Adds a tag to a version; raises RegistryError if the registry doesn't take it."""
    with _registry_errors(f"tag {name} of version {version.version}"):
        import mlflow

        uri = settings.tracking_uri
        mlflow.MlflowClient(uri, uri).set_model_version_tag(version.name, version.version, name, value)


def download(version: "ModelVersion", to: Path) -> Path:
    """Downloads the bundle of a version below `to` and returns its folder.

    Raises RegistryError if the download fails.
    """
    return _download(version, Path(), to) / BUNDLE


def load_champion(settings: ServingSettings) -> tuple[str, Bundle]:
    """Returns the champion's version and its bundle, and keeps no copy on disk.

    Raises RegistryError as `champion` and `download` do, and BundleError if the bundle is unusable.
    """
    version = champion(settings)
    return str(version.version), load_version(version)


def load_version(version: "ModelVersion") -> Bundle:
    """Returns the bundle of a version and keeps no copy on disk.

    Raises RegistryError if the download fails, and BundleError if the bundle is unusable.
    """
    with tempfile.TemporaryDirectory() as folder:
        return load(download(version, Path(folder)))  # memory-mapped files outlive their deletion


def _download(version: "ModelVersion", path: Path, to: Path) -> Path:
    with _registry_errors(f"bundle of version {version.version}"):
        from mlflow.artifacts import download_artifacts

        uri = Path(version.name, str(version.version), path).as_posix()
        return Path(download_artifacts(artifact_uri=f"models:/{uri}", dst_path=str(to)))


@contextlib.contextmanager
def _registry_errors(what: str) -> Iterator[None]:
    """Turns every exception of MLflow and its transport into a RegistryError."""
    try:
        yield
    except Exception as error:
        if getattr(error, "error_code", "") in NOT_FOUND_CODES:
            raise RegistryError(f"the registry has no {what}: run `nightshelf retrain`") from None
        # MLflow's own message may quote the address, and a password in it.
        kind = type(error).__name__
        raise RegistryError(
            f"the registry didn't return the {what} ({kind}): check NIGHTSHELF_MLFLOW_URI"
        ) from None
