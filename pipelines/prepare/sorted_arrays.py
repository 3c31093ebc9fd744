"""Sorted arrays: distinct values, and the positions of values."""

import numpy as np

from serving.bundle.format import Array


def distinct(numbers: Array) -> Array:
    """Returns the distinct values of n numbers, sorted, (m,).

    It sorts, which takes 1.3 seconds for 16 million numbers; np.unique hashes them and takes 20.
    """
    ordered = np.sort(numbers)
    first = np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)]
    return np.asarray(ordered[first])


def locate(ordered: Array, wanted: Array) -> tuple[Array, Array]:
    """Returns the index of n values in a sorted array, int64, and whether they are in it, bool; (n,) each.

    The index of a missing value is meaningless, but a valid index.
    """
    if not len(ordered):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    index = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return index, ordered[index] == wanted
