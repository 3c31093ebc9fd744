"""Frequent itemsets: products that many baskets hold together, as arrays.

Spark mines them by FP-Growth (Han, Pei, Yin 2000). On one machine a vertical search finds the same: each
itemset keeps the baskets that hold it (Eclat: Zaki 2000).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis import Table

from pipelines import columns as c
from pipelines.lake import engine
from serving.bundle.format import Array

TRIPLE = 3
ROUNDING = 1e-9  # of a share of the baskets
END = -1  # stands before the first basket and after each, where the search reads products
NO_PARENT = -1


@dataclass(frozen=True)
class Itemsets:
    """Itemsets of N products by size, and the number of baskets that hold each."""

    products: pa.Array  # (N,) strings, sorted
    members: tuple[Array, ...]  # by size, each (n, size) int64, rows of `products`, sorted within an itemset
    counts: tuple[Array, ...]  # by size, each (n,) int64, baskets

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


def mine(baskets: Table, support: float, largest: int = TRIPLE) -> Itemsets:
    """Returns the itemsets of up to `largest` products that occur in at least this share of the baskets.

    baskets: the column `products` with the distinct products of each basket.
    """
    if engine.is_spark():
        return _mine_spark(baskets, support, largest)
    products: pa.ListArray = baskets.select(c.PRODUCTS).to_pyarrow()[c.PRODUCTS].combine_chunks()
    return vertical(products, support, largest)


def vertical(baskets: pa.ListArray, support: float, largest: int = TRIPLE) -> Itemsets:
    """Returns the same for baskets in memory: lists of distinct products."""
    from pipelines.train.itemset_search import search  # imports numba, which takes most of a second

    enough = max(int(np.ceil(support * len(baskets) - ROUNDING)), 1)
    products, order, items, starts = _frequent(baskets, enough)
    parent, added, count = search(items, starts, len(products), enough, largest)
    return Itemsets(products, *_by_size(parent, order[added], count, largest))


def _mine_spark(baskets: Table, support: float, largest: int) -> Itemsets:
    from pyspark.ml.fpm import FPGrowth

    rows = engine.spark_rows(baskets.select(c.PRODUCTS)).cache()
    frequent = FPGrowth(itemsCol=c.PRODUCTS, minSupport=support).fit(rows).freqItemsets
    # Spark's associationRules would mine again; only itemsets of a few products are needed.
    itemsets = read_itemsets(frequent.where(f"size({c.ITEMS}) <= {largest}").toArrow(), largest)
    rows.unpersist()
    return itemsets


def read_itemsets(rows: pa.Table, largest: int = TRIPLE) -> Itemsets:
    """Returns the itemsets of a table of `items` and `freq`, none with more than `largest` products."""
    items = rows[c.ITEMS].combine_chunks()
    flat = items.flatten()
    products = flat.unique().sort()
    rows_of_items = pc.index_in(flat, products).to_numpy(zero_copy_only=False).astype(np.int64)
    lengths, freq = pc.list_value_length(items).to_numpy(), rows[c.FREQ].to_numpy()
    sizes = range(1, largest + 1)
    members = (
        np.sort(rows_of_items[np.repeat(lengths == size, lengths)].reshape(-1, size)) for size in sizes
    )
    return Itemsets(products, tuple(members), tuple(freq[lengths == size] for size in sizes))


def _frequent(baskets: pa.ListArray, enough: int) -> tuple[pa.Array, Array, Array, Array]:
    """Returns the N products in enough baskets, and the baskets as the search reads them.

    The search numbers products by their baskets, the rarest first, which keeps its lists short. Returned are
    the products, sorted; the row of each number, (N,) int64; and `items` and `starts` of `search`.
    """
    coded = baskets.flatten().dictionary_encode()
    codes, of_code = coded.indices.to_numpy(), np.bincount(coded.indices, minlength=len(coded.dictionary))
    products = coded.dictionary.filter(pa.array(of_code >= enough)).sort()
    code = pc.index_in(products, coded.dictionary).to_numpy(zero_copy_only=False)
    order = np.argsort(of_code[code], kind="stable")
    number = np.full(len(of_code), len(products), np.int64)
    number[code[order]] = np.arange(len(products))
    basket = np.repeat(np.arange(len(baskets)), pc.list_value_length(baskets).to_numpy())
    width = len(products) + 1
    held = np.sort(basket * width + number[codes])
    held = held[held % width < len(products)]
    # An END comes before each basket, and one after the last.
    items = np.full(len(held) + len(baskets) + 1, END, np.int32)
    items[np.arange(len(held)) + held // width + 1] = held % width
    starts = np.searchsorted(held, np.arange(len(baskets)) * width) + np.arange(len(baskets))
    return products, order, items, starts


def _by_size(
    parent: Array, row: Array, count: Array, largest: int
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Returns the fields `members` and `counts` of `Itemsets`.

    parent: (n,) int64, the itemset that each extends, NO_PARENT for a single product. row: (n,) int64, of the
    product added. count: (n,) int64.
    """
    members, counts = [], []
    own, of_own = np.flatnonzero(parent == NO_PARENT), np.empty((len(parent), 0), np.int64)
    for size in range(1, largest + 1):
        chains = np.sort(np.c_[of_own[parent[own]] if size > 1 else of_own[own], row[own]], axis=1)
        order = np.lexsort(chains.T[::-1])
        members.append(chains[order])
        counts.append(count[own[order]])
        of_own = np.zeros((len(parent), size), np.int64)
        of_own[own] = chains
        is_own = np.zeros(len(parent) + 1, bool)  # the last stands for NO_PARENT
        is_own[own] = True
        own = np.flatnonzero(is_own[parent])
    return tuple(members), tuple(counts)
