"""Keeps the fits of a nightly run under their digest, so that its steps share them.

A fit is a function of the interactions until a day, settings and code. The sweep, the evaluation, the
registered model and the gate ask for many of the same fits, each step in a process of its own.
"""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from pipelines.settings import settings
from serving.bundle import atomic
from serving.bundle.format import Array
from serving.settings import PROJECT

Arrays = dict[str, Array]

KEPT = 2  # sets of interactions whose fits are kept: those of this run, and of one that overlaps it
CODE = ("pipelines/prepare", "pipelines/train", "serving/bundle", "serving/recommend")


def kept(digest: str, name: str, given: Mapping[str, Any], compute: Callable[[], Arrays]) -> Arrays:
    """Returns what `compute` returns, from disk if it was computed before for the same interactions.

    digest: of the interactions; those without one, as tests make them, keep nothing. given: everything else
    that the result depends on, as JSON holds it.
    """
    if not digest:
        return compute()
    file = _folder(digest) / f"{_digest(digest, name, given, _code())}.npz"
    if (arrays := _read(file)) is not None:
        return arrays
    with _alone(file):
        if (arrays := _read(file)) is not None:
            return arrays
        arrays = compute()
        with suppress(OSError), atomic.replacing(file) as output:  # a full disk costs time, not the run
            np.savez(output, allow_pickle=False, **arrays)
        return arrays


def _read(file: Path) -> Arrays | None:
    """Returns the arrays of a file; None if they aren't computed yet, or damaged."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, EOFError, ValueError, BadZipFile):
        return None


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """A block for one process at a time: a sweep's tasks run side by side, and ask for the same fits.

    The lock ends with the process. Where no lock can be made, as on a full disk, each process computes.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            if not file.parent.exists():
                _make_room(file.parent)
            lock = stack.enter_context(file.with_suffix(".lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_room(folder: Path) -> None:
    """Makes a folder for new interactions, and removes all but the KEPT newest."""
    folder.mkdir(parents=True, exist_ok=True)
    newest = sorted(folder.parent.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in newest[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def _folder(digest: str) -> Path:
    """Returns the folder of all fits of the same tables, until whatever day."""
    return settings().fits / _digest(digest.partition("@")[0])[:16]


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def _code() -> str:
    """Returns a digest of the modules that fit."""
    files = sorted(file for folder in CODE for file in (PROJECT / folder).glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
