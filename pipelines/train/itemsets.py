"""Frequent itemsets as arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from serving.bundle.format import Array

TRIPLE = 3


@dataclass(frozen=True)
class Itemsets:
    """Itemsets of one, two and three of N products, and in how many baskets each is.

    members: by size, (n, size) int64 places among the products, ascending in a row. counts: by size, (n,).
    """

    products: pa.Array  # (N,) strings, ascending
    members: tuple[Array, Array, Array]
    counts: tuple[Array, Array, Array]

    def pair(self, of: Array) -> Array:
        """The row of each of some pairs among those of two products, (n,); it must be there."""
        keys, order = self._pairs
        return order[np.searchsorted(keys, self._keys(of))]

    @cached_property
    def _pairs(self) -> tuple[Array, Array]:
        keys = self._keys(self.members[1])
        order = np.argsort(keys)
        return keys[order], order

    def _keys(self, pairs: Array) -> Array:
        return np.asarray(np.sort(pairs, axis=1) @ [len(self.products), 1])


def read_itemsets(rows: pa.Table) -> Itemsets:
    """The itemsets of a table of `items` and `freq`, none of more than three products."""
    items = rows[c.ITEMS].combine_chunks()
    flat = items.flatten()
    products = flat.unique().sort()
    places = pc.index_in(flat, products).to_numpy(zero_copy_only=False).astype(np.int64)
    lengths, freq = pc.list_value_length(items).to_numpy(), rows[c.FREQ].to_numpy()
    sizes = range(1, TRIPLE + 1)
    members = [np.sort(places[np.repeat(lengths == size, lengths)].reshape(-1, size)) for size in sizes]
    one, two, three = members
    return Itemsets(products, (one, two, three), tuple(freq[lengths == size] for size in sizes))
