"""Saves a bundle to a folder, and loads it after checking every file.

The manifest lists the SHA-256 of every file, so `load` refuses a truncated or altered bundle.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np

from serving.bundle import checks
from serving.bundle.format import ARRAYS, Array, Bundle, Manifest
from serving.errors import BundleError

FORMAT = 2
MANIFEST = "manifest.json"
ROWS_AT_ONCE = 100_000  # rows of an array that are checked for finite values in one step


def save(bundle: Bundle, folder: Path) -> Path:
    """Saves a bundle and returns its folder, which never holds a part of a bundle."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name in ARRAYS:
        np.save(temporary / f"{name}.npy", getattr(bundle, name), allow_pickle=False)
    files = {name: _sha256(temporary / f"{name}.npy") for name in ARRAYS}
    listed = bundle.manifest | {"format": FORMAT, "files": files}
    (temporary / MANIFEST).write_text(json.dumps(listed, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
    return folder


def load(folder: Path) -> Bundle:
    """Returns the memory-mapped bundle of a folder; raises BundleError if it is incomplete or invalid."""
    listed = manifest(folder)
    _check_format(folder, listed.get("format"))
    arrays = {name: _array(folder, name, listed) for name in ARRAYS}
    bundle = Bundle(**arrays, manifest=listed)
    checks.check(bundle)
    bundle.trees  # noqa: B018 - read now, so that an unreadable model is refused here
    return bundle


def manifest(folder: Path) -> Manifest:
    """Returns the manifest, of any format, of the bundle in a folder.

    Raises BundleError if it can't be read.
    """
    try:
        content = cast(Manifest, json.loads((folder / MANIFEST).read_text()))
        if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
            raise ValueError("not the JSON of a manifest")
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(
            f"no readable {MANIFEST} in bundle {folder.name} ({type(error).__name__}):"
            " promote another version"
        ) from None
    return content


def _check_format(folder: Path, version: Any) -> None:
    if version == FORMAT:
        return
    advice = "run `nightshelf retrain`, and serve with the earlier release until it finishes"
    if isinstance(version, int) and version > FORMAT:
        advice = "a later release wrote it; install that release, or promote an older version"
    raise BundleError(f"bundle {folder.name} has format {version}, this release reads {FORMAT}: {advice}")


def _array(folder: Path, name: str, listed: Manifest) -> Array:
    file = folder / f"{name}.npy"
    if not file.exists() or _sha256(file) != listed["files"].get(name):
        raise BundleError(
            f"{file.name} of bundle {folder.name} is missing or altered: promote another version"
        )
    try:
        # A plain view of the mapped file: numpy's memmap class slows down every access.
        array = np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    except Exception as error:  # numpy reads the header as a Python expression, which fails in many ways
        raise BundleError(
            f"{file.name} of bundle {folder.name} is no array ({type(error).__name__}):"
            " promote another version"
        ) from None
    checks.check_type(name, array)
    if array.dtype.kind == "f" and not _is_finite(array, allow_nan=name == "price"):
        raise BundleError(
            f"{file.name} of bundle {folder.name} holds values that aren't finite: promote another version"
        )
    return array


def _is_finite(array: Array, allow_nan: bool) -> bool:
    """Returns whether all values are finite, or nan where allowed; checks large arrays in steps."""
    parts = (array[start : start + ROWS_AT_ONCE] for start in range(0, len(array), ROWS_AT_ONCE))
    return all((np.isfinite(part) | (allow_nan & np.isnan(part))).all() for part in parts)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
