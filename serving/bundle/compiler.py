"""Compiles functions to machine code with numba, which keeps it on disk for the next process."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy.typing as npt

Array = npt.NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., Any])


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
    try:
        return cast(Function, numba.njit(cache=True, **options)(function))
    except RuntimeError:  # neither the code's folder nor the user's own can be written
        return cast(Function, numba.njit(**options)(function))
