"""Seals of model versions: keyed hashes which show that this installation registered or approved a version.

MLflow has no rights of its own: whoever reaches it can register a version, tag it, and move an alias. A seal
needs NIGHTSHELF_CUSTOMER_KEY, so no one else can make the service follow a version. A seal is a tag of the
version.
"""

import hmac
import json
from collections.abc import Mapping
from typing import Any

from serving.bundle.format import Manifest

REGISTRATION = "registration"  # made by the step `register`, before the gate has decided
APPROVAL = "approval"  # made by the gate if it lets the version serve, or by a person's promotion
DERIVATION = b"nightshelf versions"  # the seals' own key is derived, so the customer key hashes only ids


def seal(
    key: str, kind: str, model: str, version: str, manifest: Manifest, verdict: Mapping[str, Any]
) -> str:
    """Returns the seal of a version, 64 hexadecimal digits.

    key: NIGHTSHELF_CUSTOMER_KEY. kind: REGISTRATION or APPROVAL. model: the registered model's name.
    manifest: that of the bundle, which lists the SHA-256 of every file. verdict: the gate's, {} without one.
    """
    own_key = hmac.digest(key.encode(), DERIVATION, "sha256")
    statement = json.dumps([kind, model, version, manifest, verdict], sort_keys=True)
    return hmac.digest(own_key, statement.encode(), "sha256").hex()


def matches(given: str, expected: str) -> bool:
    """Returns whether a seal is the expected one, in a time that depends on neither."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def missing(version: str) -> str:
    """Returns what is wrong with a version that wasn't approved, and what to do."""
    return (
        f"this installation approved no version {version} with this bundle and verdict: if you trust it, run"
        f" `nightshelf promote {version} --reason TEXT`; otherwise return to another version with"
        " `nightshelf rollback --to VERSION --reason TEXT`"
    )
