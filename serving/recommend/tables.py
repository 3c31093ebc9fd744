"""Hash tables of products, and the highest of many values: what the second stage counts and chooses with."""

import numpy as np

from serving.bundle.compiler import Array, compiled

EMPTY = -1  # the key of a free slot


@compiled
def table(entries: int) -> Array:
    """Returns the keys of an empty hash table for at most some entries, (s,) int32; s is a power of two."""
    size = 16
    while size < 2 * entries:
        size *= 2
    return np.full(size, EMPTY, np.int32)


@compiled
def slot(keys: Array, product: int) -> int:
    """Returns the slot of a product in a hash table, or the free slot where it belongs."""
    last = len(keys) - 1
    at = ((product * 2654435769) >> 16) & last  # Knuth's multiplicative hashing
    while keys[at] != product and keys[at] != EMPTY:
        at = (at + 1) & last
    return at


@compiled
def offer(values: Array, products: Array, size: int, value: float, product: int) -> int:
    """Adds a value to the highest len(values) so far, and returns how many these are now.

    Of equal values the lower product is the higher. values, products: a heap with the lowest value first.
    """
    if size < len(values):
        at = size
        while at > 0 and _is_lower(value, product, values[(at - 1) // 2], products[(at - 1) // 2]):
            values[at], products[at] = values[(at - 1) // 2], products[(at - 1) // 2]
            at = (at - 1) // 2
        values[at], products[at] = value, product
        return size + 1
    if size == 0 or not _is_lower(values[0], products[0], value, product):
        return size
    at, below = 0, 1
    while below < size:
        if below + 1 < size and _is_lower(
            values[below + 1], products[below + 1], values[below], products[below]
        ):
            below += 1
        if not _is_lower(values[below], products[below], value, product):
            break
        values[at], products[at] = values[below], products[below]
        at, below = below, 2 * below + 1
    values[at], products[at] = value, product
    return size


@compiled
def _is_lower(value: float, product: int, other: float, other_product: int) -> bool:
    return value < other or (value == other and product > other_product)
