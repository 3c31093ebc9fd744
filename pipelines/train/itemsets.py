"""Frequent itemsets: products that many baskets hold together, as arrays.

Spark mines them by FP-Growth (Han, Pei, Yin 2000). On one machine a vertical search finds the same: each
itemset keeps the baskets that hold it (Eclat: Zaki 2000), and a sparse product counts all its extensions at
once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from ibis import Table

from pipelines import columns as c
from pipelines.lake import engine
from serving.bundle.format import Array

TRIPLE = 3
ROUNDING = 1e-9  # of a share of the baskets
BATCH = 1_000_000  # entries of itemsets by baskets that are extended at once, to bound memory


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
    enough = max(int(np.ceil(support * len(baskets) - ROUNDING)), 1)
    products, bought = _frequent(baskets, enough)
    holding = by_product = bought.T.tocsr()
    members, counts = [np.arange(len(products))[:, None]], [np.diff(holding.indptr).astype(np.int64)]
    for size in range(2, largest + 1):
        itemsets, count = _extensions(members[-1], holding, bought, enough)
        if size < largest:
            holding = holding[itemsets.prefix].multiply(by_product[itemsets.added]).tocsr()
        members.append(np.c_[members[-1][itemsets.prefix], itemsets.added])
        counts.append(count)
    return Itemsets(products, tuple(members), tuple(counts))


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


@dataclass(frozen=True)
class _Extensions:
    """n itemsets with one product more than the itemsets that they extend."""

    prefix: Array  # (n,) int64, rows of the itemsets extended
    added: Array  # (n,) int64, rows of products


def _frequent(baskets: pa.ListArray, enough: int) -> tuple[pa.Array, sp.csr_matrix]:
    """Returns the N products in enough of the B baskets, sorted, and which basket holds which, (B, N)."""
    coded = baskets.flatten().dictionary_encode()
    count = np.bincount(coded.indices.to_numpy(), minlength=len(coded.dictionary))
    products = coded.dictionary.filter(pa.array(count >= enough)).sort()
    row = pc.index_in(coded.dictionary, products).fill_null(-1).to_numpy()[coded.indices.to_numpy()]
    basket = np.repeat(np.arange(len(baskets)), pc.list_value_length(baskets).to_numpy())
    is_frequent = row >= 0
    entries = (np.ones(is_frequent.sum(), np.int32), (basket[is_frequent], row[is_frequent]))
    return products, sp.csr_matrix(entries, shape=(len(baskets), len(products)))


def _extensions(
    members: Array, holding: sp.csr_matrix, bought: sp.csr_matrix, enough: int
) -> tuple[_Extensions, Array]:
    """Returns the itemsets that extend these by one later product, and the baskets of each, (n,) int64.

    members: (m, size) rows of products; holding: which basket holds each itemset, (m, B).
    """
    parts = [(np.empty(0, np.int64),) * 3]
    for first, last in _batches(holding.indptr):
        counted = (holding[first:last] @ bought).tocoo()
        kept = (counted.data >= enough) & (counted.col > members[first:last, -1][counted.row])
        parts.append((first + counted.row[kept], counted.col[kept], counted.data[kept]))
    prefix, added, count = (np.concatenate(part).astype(np.int64) for part in zip(*parts, strict=True))
    return _Extensions(prefix, added), count


def _batches(starts: Array) -> Iterator[tuple[int, int]]:
    """Yields ranges of rows of about BATCH entries, at least one row each."""
    first, rows = 0, len(starts) - 1
    while first < rows:
        last = max(int(np.searchsorted(starts, starts[first] + BATCH, side="right")) - 1, first + 1)
        yield first, last
        first = last
