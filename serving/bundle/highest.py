"""Finds the highest of many values, and the highest of many inner products without computing most of them."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

HEAD = 8192  # products whose factors are copied next to each other, because nearly every search reads them
BLOCK = 2048  # products scored in the first step of a search; each further step doubles the range
SLACK = 1 + 1e-5  # covers the rounding errors of bounds and inner products
TINY = 1e-30  # stands in for the length of a zero vector


def top_n(values: Array, n: int) -> Array:
    """Returns the indices of the n highest values, best first, (m,) int64 with m <= n.

    Ties are ordered by index; -inf is never returned.

    >>> top_n(np.array([1.0, 3.0, 3.0, -np.inf]), 2).tolist()
    [1, 2]
    >>> top_n(np.array([1.0, 3.0, 3.0, -np.inf]), 9).tolist()
    [1, 2, 0]
    """
    n = min(n, len(values))
    if n == 0:
        return np.empty(0, dtype=np.int64)
    floor = np.partition(values, -n)[-n]
    candidates = np.flatnonzero((values >= floor) & (values > -np.inf))
    return candidates[np.argsort(-values[candidates], kind="stable")][:n]


@dataclass(frozen=True)
class SortedScores:
    """P scores that are the same for every customer, sorted once."""

    values: Array  # (P,)
    order: Array  # (P,) int32, rows by falling value, ties by row

    @classmethod
    def of(cls, values: Array) -> Self:
        """Sorts P values, (P,)."""
        return cls(values, np.argsort(-values, kind="stable").astype(np.int32))

    def highest(self, n: int, wanted: Array) -> Array:
        """Returns the rows of the n highest scores among the wanted rows, (m,) integers in no given order.

        wanted: (P,) bool.
        """
        if (few := _few(wanted)) is not None:
            return few[top_n(self.values[few], n)]
        size = BLOCK
        while True:
            rows = self.order[:size][wanted[self.order[:size]]]
            if len(rows) >= n or size >= len(self.order):
                return rows[:n]
            size *= 4


@dataclass(frozen=True)
class InnerProductIndex:
    """Searches P factor vectors for the highest weighted inner products with a query vector.

    No weighted product of a query u and factors y exceeds |u| |y| weight (Cauchy-Schwarz inequality).
    Vectors are sorted by that bound, so a search stops where the bound falls below the n-th highest inner
    product so far: Teflioudi, Gemulla, Mykytiuk (2015), "LEMP: Fast Retrieval of Large Entries in a Matrix
    Product".
    """

    factors: Array  # (P, k) float32
    weight: Array  # (P,) float32, not negative
    order: Array  # (P,) int32, rows by falling bound
    negative_bound: Array  # (P,) float32, in that order, the bound times -1, so that it ascends
    head: Array  # (min(P, HEAD), k) float32, the first weighted factors in that order

    @classmethod
    def of(cls, factors: Array, weight: Array) -> Self:
        """Builds the index. factors: (P, k) float32. weight: (P,) float32, not negative."""
        norms = np.sqrt(np.einsum("pk,pk->p", factors, factors))
        negative_bound = norms * weight * np.float32(-SLACK)
        order = np.argsort(negative_bound, kind="stable").astype(np.int32)
        first = order[:HEAD]
        return cls(factors, weight, order, negative_bound[order], factors[first] * weight[first, None])

    def highest(self, vector: Array, n: int, wanted: Array | None = None) -> tuple[Array, Array]:
        """Returns rows, ascending, and weighted products: the n highest, and possibly some more, (m,) each.

        vector: (k,) float32. wanted: (P,) bool, the rows to search; None searches all.
        """
        if wanted is not None and (few := _few(wanted)) is not None:
            return few, self._products(few, vector)
        rows, values, length = self.order[:0], self.weight[:0], max(float(np.sqrt(vector @ vector)), TINY)
        start, stop, end = 0, BLOCK, len(self.order)
        while start < end:
            more_rows, more_values = self._between(start, min(stop, end), vector, wanted)
            rows, values = np.concatenate([rows, more_rows]), np.concatenate([values, more_values])
            if len(values) > n:
                floor = np.partition(values, -n)[-n]
                rows, values = rows[values >= floor], values[values >= floor]
                end = int(np.searchsorted(self.negative_bound, -floor / length, "right"))
            start, stop = stop, 2 * stop
        by_row = np.argsort(rows)
        return rows[by_row], values[by_row]

    def _between(self, start: int, stop: int, vector: Array, wanted: Array | None) -> tuple[Array, Array]:
        """Returns the wanted rows between two positions of the order, and their weighted products."""
        rows = self.order[start:stop]
        if stop <= len(self.head):
            values = self.head[start:stop] @ vector
            return (rows, values) if wanted is None else (rows[wanted[rows]], values[wanted[rows]])
        rows = rows if wanted is None else rows[wanted[rows]]
        return rows, self._products(rows, vector)

    def _products(self, rows: Array, vector: Array) -> Array:
        return np.asarray(self.factors[rows] @ vector * self.weight[rows])


def _few(wanted: Array) -> Array | None:
    """Returns the wanted rows, ascending, if they are few enough to score all of them; otherwise None."""
    return np.flatnonzero(wanted) if np.count_nonzero(wanted) <= BLOCK else None
