"""Frequent itemsets of one, two and three products, as arrays."""

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
    """Itemsets of N products by size (1, 2, 3), and the number of baskets that hold each."""

    products: pa.Array  # (N,) strings, sorted
    members: tuple[Array, Array, Array]  # each (n, size) int64, rows of `products`, sorted within an itemset
    counts: tuple[Array, Array, Array]  # each (n,) int64, baskets

    def pair_rows(self, pairs: Array) -> Array:
        """Returns the row of each pair, (n, 2) rows of products, in `members[1]`; all must be frequent."""
        keys, order = self._pairs
        return order[np.searchsorted(keys, self._keys(pairs))]

    @cached_property
    def _pairs(self) -> tuple[Array, Array]:
        keys = self._keys(self.members[1])
        order = np.argsort(keys)
        return keys[order], order

    def _keys(self, pairs: Array) -> Array:
        return np.asarray(np.sort(pairs, axis=1) @ [len(self.products), 1])


def read_itemsets(rows: pa.Table) -> Itemsets:
    """Returns the itemsets of a table of `items` and `freq`, none with more than three products."""
    items = rows[c.ITEMS].combine_chunks()
    flat = items.flatten()
    products = flat.unique().sort()
    rows_of_items = pc.index_in(flat, products).to_numpy(zero_copy_only=False).astype(np.int64)
    lengths, freq = pc.list_value_length(items).to_numpy(), rows[c.FREQ].to_numpy()
    sizes = range(1, TRIPLE + 1)
    singles, pairs, triples = (
        np.sort(rows_of_items[np.repeat(lengths == size, lengths)].reshape(-1, size)) for size in sizes
    )
    return Itemsets(products, (singles, pairs, triples), tuple(freq[lengths == size] for size in sizes))
