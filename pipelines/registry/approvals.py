"""Seals versions that this installation registered or approved, and checks those seals.

MLflow lets everyone who reaches it write versions, tags and aliases. What a seal is: `serving.live.approval`.
"""

import json
from collections.abc import Mapping
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion

from pipelines.run.tracking import client
from pipelines.settings import customer_key, settings
from serving.bundle.format import Manifest
from serving.errors import BundleError, NightshelfError
from serving.live import approval, registry
from serving.live.approval import APPROVAL, REGISTRATION


def seal_registration(version: ModelVersion, manifest: Manifest) -> None:
    """Seals a version as registered with the bundle of this manifest."""
    _set(version, REGISTRATION, registry.seal(customer_key(), REGISTRATION, version, manifest, {}))


def is_registered(version: ModelVersion, manifest: Manifest) -> bool:
    """Returns whether this installation registered a version with the bundle of this manifest."""
    expected = registry.seal(customer_key(), REGISTRATION, version, manifest, {})
    return approval.matches(version.tags.get(REGISTRATION, ""), expected)


def decide(version: ModelVersion, tags: Mapping[str, str], approved: bool) -> None:
    """Adds the tags of the gate's verdict to a version, and the gate's approval if the version may serve.

    Raises NightshelfError if the bundle is no longer the registered one.
    """
    for name, value in tags.items():
        _set(version, name, value)
    if not approved:
        return _set(version, APPROVAL, "")
    if not is_registered(version, manifest := _manifest(version)):
        raise NightshelfError(
            f"the bundle of version {version.version} was changed in the registry: the next nightly run"
            " registers another version"
        )
    outcome = {"verdict": tags["verdict"], "reasons": json.loads(tags["reasons"])}
    return _approve(version, manifest, outcome)


def approve(version: ModelVersion) -> None:
    """Approves a version as it is in the registry, because a person wants it to serve.

    Raises BundleError or RegistryError if its bundle has no readable manifest.
    """
    _approve(version, _manifest(version), registry.verdict(version))


def require(version: ModelVersion) -> None:
    """Raises NightshelfError if this installation didn't approve a version with its bundle and verdict."""
    if not is_approved(version):
        raise NightshelfError(approval.missing(str(version.version)))


def is_approved(version: ModelVersion) -> bool:
    """Returns whether this installation approved a version with its present bundle and verdict."""
    if not version.tags.get(APPROVAL):
        return False
    try:
        return registry.is_approved(customer_key(), version, _manifest(version))
    except BundleError:
        return False


def _approve(version: ModelVersion, manifest: Manifest, outcome: dict[str, Any]) -> None:
    _set(version, APPROVAL, registry.seal(customer_key(), APPROVAL, version, manifest, outcome))


def _manifest(version: ModelVersion) -> Manifest:
    mlflow.set_tracking_uri(settings().tracking_uri)  # downloads use the global address, not the client's
    return registry.manifest(version)


def _set(version: ModelVersion, name: str, value: str) -> None:
    client().set_model_version_tag(version.name, version.version, name, value)
