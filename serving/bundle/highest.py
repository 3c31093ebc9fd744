"""The highest of many values, and of many inner products, most of which are never made."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

HEAD = 8192  # products whose factors are kept side by side, since nearly every answer asks for them
BLOCK = 2048  # products that are looked at first; then as many again, and so on
SLACK = 1 + 1e-5  # for the rounding of bounds and products
TINY = 1e-30  # the length of no vector at all


def top_n(values: Array, n: int) -> Array:
    """The places of the n highest values, best first, ties by place; -inf is never among them."""
    n = min(n, len(values))
    if n == 0:
        return np.empty(0, dtype=np.int64)
    floor = np.partition(values, -n)[-n]
    among = np.flatnonzero((values >= floor) & (values > -np.inf))
    return among[np.argsort(-values[among], kind="stable")][:n]


@dataclass(frozen=True)
class SortedScores:
    """P values that are the same for everyone, in their order."""

    values: Array  # (P,)
    order: Array  # (P,) int32, by falling value, ties by place

    @classmethod
    def of(cls, values: Array) -> Self:
        """The order of values, (P,)."""
        return cls(values, np.argsort(-values, kind="stable").astype(np.int32))

    def highest(self, n: int, wanted: Array) -> Array:
        """The n highest of the wanted ones, (P,) bool, by rows in no order."""
        if (few := _few(wanted)) is not None:
            return few[top_n(self.values[few], n)]
        size = BLOCK
        while True:
            found = self.order[:size][wanted[self.order[:size]]]
            if len(found) >= n or size >= len(self.order):
                return found[:n]
            size *= 4


@dataclass(frozen=True)
class InnerProductIndex:
    """P factors with a weight each, by what an inner product with any vector is bounded by.

    No weighted product of a vector u and factors y is above |u| |y| weight (Cauchy and Schwarz), so that
    all behind the place where that falls below the n-th best found need no look: Teflioudi et al. (2015).
    """

    factors: Array  # (P, k) float32
    weight: Array  # (P,) float32, no less than zero
    order: Array  # (P,) int32, by falling bound
    negative_bound: Array  # (P,) float32, in that order, the bound below zero
    head: Array  # (HEAD, k) float32, the first weighted factors in that order, side by side

    @classmethod
    def of(cls, factors: Array, weight: Array) -> Self:
        """The order of factors, (P, k), with their weights, (P,)."""
        below = np.sqrt(np.einsum("pk,pk->p", factors, factors)) * weight * np.float32(-SLACK)
        order = np.argsort(below, kind="stable").astype(np.int32)
        first = order[:HEAD]
        return cls(factors, weight, order, below[order], factors[first] * weight[first, None])

    def highest(self, vector: Array, n: int, wanted: Array | None = None) -> tuple[Array, Array]:
        """The rows of the n highest weighted products with a vector, (k,), and these; some more may come too.

        wanted: (P,) bool, the rows that count; all where None. Rows ascend.
        """
        if wanted is not None and (few := _few(wanted)) is not None:
            return few, self._of(few, vector)
        rows, values, length = self.order[:0], self.weight[:0], max(float(np.sqrt(vector @ vector)), TINY)
        start, stop, end = 0, BLOCK, len(self.order)
        while start < end:
            more, found = self._between(start, min(stop, end), vector, wanted)
            rows, values = np.concatenate([rows, more]), np.concatenate([values, found])
            if len(values) > n:
                floor = np.partition(values, -n)[-n]
                rows, values = rows[values >= floor], values[values >= floor]
                end = int(np.searchsorted(self.negative_bound, -floor / length, "right"))
            start, stop = stop, 2 * stop
        ascending = np.argsort(rows)
        return rows[ascending], values[ascending]

    def _between(self, start: int, stop: int, vector: Array, wanted: Array | None) -> tuple[Array, Array]:
        """The wanted rows between two places of the order, and their weighted products."""
        rows = self.order[start:stop]
        if stop <= len(self.head):
            values = self.head[start:stop] @ vector
            return (rows, values) if wanted is None else (rows[wanted[rows]], values[wanted[rows]])
        rows = rows if wanted is None else rows[wanted[rows]]
        return rows, self._of(rows, vector)

    def _of(self, rows: Array, vector: Array) -> Array:
        return np.asarray(self.factors[rows] @ vector * self.weight[rows])


def _few(wanted: Array) -> Array | None:
    """The rows that are wanted, ascending, where they are so few that all may be looked at; else None."""
    return np.flatnonzero(wanted) if np.count_nonzero(wanted) <= BLOCK else None
