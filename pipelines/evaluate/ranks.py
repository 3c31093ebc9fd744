"""Ranks of products among all products, for one customer after the other, in compiled code."""

import numpy as np

from pipelines.evaluate.names import NO_PRODUCT
from pipelines.evaluate.ranking import Sorted
from serving.bundle.compiler import Array, compiled
from serving.recommend.tables import offer

SPARSE = 8  # a lane that may recommend at most one product in so many is counted without the others


def ranks(
    values: Array, starts: Array, products: Array, kept: int, among: Sorted
) -> tuple[Array, Array, Array]:
    """Returns the fields `rank`, `allowed` and `top` of a `Ranking`; equal scores rank by product row.

    values: (n, P), -inf for products that the lane excludes. starts: (n + 1,) int64, where each customer's
    true products begin. products: (m,) int64. kept: the length of the lists, at most P.
    """
    allowed, top = _lists(values, kept)
    return _before(values, starts, products, allowed, among), allowed, top


@compiled
def _lists(values: Array, kept: int) -> tuple[Array, Array]:
    """Returns how many products each customer's lane may recommend, and the first `kept` of them."""
    allowed = np.empty(len(values), np.int64)
    top = np.full((len(values), kept), NO_PRODUCT, np.int32)
    for row in range(len(values)):
        allowed[row] = _higher(values[row], -np.inf)
        _highest(values, row, top)
    return allowed, top


@compiled
def _before(values: Array, starts: Array, products: Array, allowed: Array, among: Sorted) -> Array:
    """Returns how many products rank before each true product, (m,) int64."""
    before = np.empty(len(products), np.int64)
    for row in range(len(values)):
        scores = values[row]
        is_sparse = allowed[row] <= len(scores) // SPARSE and starts[row] < starts[row + 1]
        finite = scores[scores > -np.inf] if is_sparse else scores[:0]
        excluded = among.excluded[among.starts[row] : among.starts[row + 1]]
        for index in range(starts[row], starts[row + 1]):
            own = scores[products[index]]
            if is_sparse:
                higher, equal = _higher(finite, own), _equal(finite, own)
            else:
                end = np.searchsorted(among.ascending[row], own, "right")
                higher = len(scores) - end - _higher(excluded, own)
                equal = end - np.searchsorted(among.ascending[row], own) - _equal(excluded, own)
            for product in range(products[index] if equal > 1 else 0):
                higher += scores[product] == own
            before[index] = higher
    return before


@compiled
def _higher(scores: Array, own: float) -> np.int32:
    """Returns how many scores are higher."""
    count = np.int32(0)
    for index in range(len(scores)):
        count += np.int32(scores[index] > own)
    return count


@compiled
def _equal(scores: Array, own: float) -> np.int32:
    """Returns how many scores are equal."""
    count = np.int32(0)
    for index in range(len(scores)):
        count += np.int32(scores[index] == own)
    return count


@compiled
def _highest(values: Array, row: int, top: Array) -> None:
    """Writes the products with a row's highest values above -inf, best first, into the row of `top`."""
    kept = top.shape[1]
    highest, products, size = np.empty(kept, values.dtype), np.empty(kept, np.int32), 0
    floor = -np.inf
    for product in range(values.shape[1]):
        if values[row, product] > floor:
            size = offer(highest, products, size, values[row, product], product)
            floor = highest[0] if size == kept else -np.inf
    for place in range(size):
        best = place
        for other in range(place + 1, size):
            is_tie = highest[other] == highest[best]
            if highest[other] > highest[best] or (is_tie and products[other] < products[best]):
                best = other
        top[row, place] = products[best]
        highest[best], products[best] = highest[place], products[place]
