"""Compiles functions to machine code with numba, which keeps it on disk for the next process."""

import os
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy.typing as npt
from numba.misc.appdirs import AppDirs

Array = npt.NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., Any])
ROOT = Path(__file__).parents[2]
IMPORTED = re.compile(rb"^from ((?:serving|pipelines)[.\w]+) import", re.MULTILINE)


def compiled(function: Function) -> Function:
    """Returns the function compiled; it lets other threads run, and checks no index.

    Machine code fits one set of types, and compiling for another takes seconds: a caller's arrays must always
    have the same types and order, and be read-only or not.
    """
    return _compiled(function, {"nogil": True, "error_model": "numpy"})


def summing(function: Function) -> Function:
    """Returns the function compiled; it may add up numbers in any order, many at once."""
    return _compiled(function, {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract"}})


def _compiled(function: Function, options: dict[str, Any]) -> Function:
    return cast(Function, numba.njit(cache=IS_KEPT, **options)(function))


def digest(root: Path) -> str:
    """Returns the digest of the sources of machine code: files of compiled functions, and what they import.

    numba compares the file of each function alone, so that it would run old code after a change of a constant
    or a function that comes from another file.
    """
    sources = {
        path: path.read_bytes() for part in ("serving", "pipelines") for path in (root / part).rglob("*.py")
    }
    users = [path for path, source in sources.items() if b"serving.bundle.compiler" in source]
    names = {name.decode() for path in users for name in IMPORTED.findall(sources[path])}
    imported = {(root / name.replace(".", "/")).with_suffix(".py") for name in names}
    used = sorted({*users, *imported & sources.keys(), Path(__file__)})
    return sha256(b"\0".join(path.read_bytes() for path in used)).hexdigest()[:16]


def _keep() -> bool:
    """Returns whether machine code can be kept, beside this file or in the user's cache, and sets where."""
    user = AppDirs("nightshelf", appauthor=False).user_cache_dir  # type: ignore[no-untyped-call]
    for parent in (Path(__file__).parent / "__pycache__", Path(user)):
        folder = parent / f"machine-code-{digest(ROOT)}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
            return True
    return False


IS_KEPT = _keep()
