"""Saves a bundle to a folder, and loads it again after checking every file."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np

from serving.bundle.format import (
    ARRAYS,
    PER_GROUP_PRODUCT,
    PER_PRODUCT,
    PER_PURCHASE,
    PER_RULE,
    Array,
    Bundle,
    Manifest,
)
from serving.errors import BundleError

FORMAT = 2
MANIFEST = "manifest.json"
ROWS = 100_000  # of an array that are checked at once


def save(bundle: Bundle, folder: Path) -> Path:
    """The folder, now holding the bundle; it appears whole or not at all."""
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name in ARRAYS:
        np.save(beside / f"{name}.npy", getattr(bundle, name), allow_pickle=False)
    files = {name: _sha256(beside / f"{name}.npy") for name in ARRAYS}
    manifest = bundle.manifest | {"format": FORMAT, "files": files}
    (beside / MANIFEST).write_text(json.dumps(manifest, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)
    return folder


def load(folder: Path) -> Bundle:
    """The bundle of a folder, memory-mapped; raises BundleError where it isn't whole and sound."""
    manifest = _manifest(folder)
    arrays = {name: _array(folder, name, manifest) for name in ARRAYS}
    bundle = Bundle(**arrays, manifest=manifest)
    _check_shapes(bundle)
    bundle.trees  # noqa: B018  opened now, so that a model that can't be read is refused
    return bundle


def _manifest(folder: Path) -> Manifest:
    try:
        manifest = cast(Manifest, json.loads((folder / MANIFEST).read_text()))
        if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
            raise ValueError("not the JSON of a manifest")
    except (OSError, ValueError) as error:
        raise BundleError(f"no readable {MANIFEST} in bundle {folder.name}: {type(error).__name__}") from None
    _check_format(folder, manifest.get("format"))
    return manifest


def _check_format(folder: Path, found: Any) -> None:
    if found == FORMAT:
        return
    what = "run a night, `nightshelf retrain`; until it ends, the release that made it serves it"
    if isinstance(found, int) and found > FORMAT:
        what = "it is a later release's: install that, or promote an older version"
    raise BundleError(f"bundle {folder.name} has format {found}, this release reads {FORMAT}: {what}")


def _array(folder: Path, name: str, manifest: Manifest) -> Array:
    file = folder / f"{name}.npy"
    if not file.exists() or _sha256(file) != manifest["files"].get(name):
        raise BundleError(
            f"{file.name} of bundle {folder.name} is missing or altered: promote another version"
        )
    # A plain view of the mapped file: numpy's memmap class slows every look at a value.
    array = np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    if array.dtype.kind == "f" and not _is_finite(array, or_unknown=name == "price"):
        raise BundleError(f"{file.name} of bundle {folder.name} holds values that are no finite numbers")
    return array


def _is_finite(array: Array, or_unknown: bool) -> bool:
    """Whether all values are finite or may be unknown; some rows at a time, for an array may be large."""
    parts = (array[at : at + ROWS] for at in range(0, len(array), ROWS))
    return all((np.isfinite(part) | (or_unknown & np.isnan(part))).all() for part in parts)


def _check_shapes(bundle: Bundle) -> None:
    customers, products = len(bundle.customers), len(bundle.products)
    expected = {"history_start": customers + 1, "user_factors": customers, "rule_start": products + 1}
    expected["group_start"] = len(bundle.groups) + 1
    expected["customer_traits"] = customers
    expected |= dict.fromkeys(PER_PRODUCT, products)
    expected |= dict.fromkeys(PER_PURCHASE, int(bundle.history_start[-1]))
    expected |= dict.fromkeys(PER_GROUP_PRODUCT, int(bundle.group_start[-1]))
    expected |= {f"rule_{name}": int(bundle.rule_start[-1]) for name in (*PER_RULE, "complement")}
    expected |= {f"triple_{name}": len(bundle.triple_key) for name in PER_RULE}
    for name, length in expected.items():
        if len(getattr(bundle, name)) != length:
            raise BundleError(f"{name} of the bundle has {len(getattr(bundle, name))} rows, not {length}")


def _sha256(file: Path) -> str:
    with file.open("rb") as from_bytes:
        return hashlib.file_digest(from_bytes, "sha256").hexdigest()
