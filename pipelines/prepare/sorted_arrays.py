"""Sorted arrays: the distinct values of one, and where others stand in it."""

import numpy as np

from serving.bundle.format import Array


def distinct(numbers: Array) -> Array:
    """The distinct ones of n numbers, ascending, (m,).

    By sorting: np.unique hashes numbers, which takes 20 seconds for 16 million where this takes 1.3.
    """
    ascending = np.sort(numbers)
    first = np.r_[True, ascending[1:] != ascending[:-1]][: len(ascending)]
    return np.asarray(ascending[first])


def locate(ascending: Array, wanted: Array) -> tuple[Array, Array]:
    """Where n values stand in a sorted array, int64, and whether they do, bool, (n,) each.

    The place of one that isn't there is of no use, but within the array.
    """
    if not len(ascending):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return at, ascending[at] == wanted
