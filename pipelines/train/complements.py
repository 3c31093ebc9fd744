"""Complements: products that are bought together, apart from those that merely share buyers.

Two brands of coffee are alternatives: a coffee drinker buys one this week and the other next week. Over all
baskets the two still meet more often than by chance, because other customers buy neither. So chance is
estimated customer by customer: with n baskets, of which a hold the one product and b the other, a * b / n
baskets hold both by chance. Two products are complements if they meet significantly more often than the sum
of that over all customers: the test of Mantel and Haenszel (1959), each customer being a stratum.
"""

from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipelines import columns as c
from pipelines.train.itemsets import Itemsets
from serving.bundle.format import Array

BATCH = 10_000  # pairs that are tested at once, to bound memory


def complementary(itemsets: Itemsets, baskets: pa.Table, confidence: float) -> Array:
    """Returns whether the products of each pair are complements, (n,) bool.

    baskets: customer (any number; all guests have the same one) and products. confidence: of the one-sided
    test that a pair meets more often than by chance.
    """
    bought, sizes = _strata(itemsets.products, baskets)
    pairs, counts = itemsets.members[1], itemsets.counts[1]
    deviations = NormalDist().inv_cdf(confidence)
    parts = [
        _exceeds(bought, sizes, pairs[start : start + BATCH], counts[start : start + BATCH], deviations)
        for start in range(0, len(pairs), BATCH)
    ]
    return np.concatenate([np.empty(0, bool), *parts])


def _strata(products: pa.Array, baskets: pa.Table) -> tuple[sp.csr_matrix, Array]:
    """Returns how many baskets of each stratum contain each product, (N, S), and all its baskets, (S,).

    A stratum is a customer with several baskets. Customers with a single basket form one stratum together,
    since one basket shows no habit; guests form another.
    """
    _, customer, count = np.unique(baskets[c.CUSTOMER].to_numpy(), return_inverse=True, return_counts=True)
    stratum = np.where(count > 1, np.arange(1, len(count) + 1), 0)[customer]
    lists = baskets[c.PRODUCTS].combine_chunks()
    index = pc.index_in(lists.flatten(), products)
    known = index.is_valid().to_numpy(zero_copy_only=False)
    rows = index.drop_null().to_numpy().astype(np.int64)
    columns = np.repeat(stratum, pc.list_value_length(lists).to_numpy())[known]
    shape = (len(products), len(count) + 1)
    bought = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    return bought, np.bincount(stratum, minlength=len(count) + 1).astype(float)


def _exceeds(bought: sp.csr_matrix, sizes: Array, pairs: Array, counts: Array, deviations: float) -> Array:
    """Returns whether the counts of pairs lie this many standard deviations above chance, (n,) bool."""
    spread = bought.copy()  # a * (n - a), a factor of the hypergeometric variance
    spread.data = bought.data * (sizes[bought.indices] - bought.data)
    several = np.maximum(sizes, 2)
    first, second = pairs.T
    chance = bought[first].multiply(bought[second]) @ (1 / several)
    variance = spread[first].multiply(spread[second]) @ (1 / (several**2 * (several - 1)))
    return np.asarray((variance > 0) & (counts - chance > deviations * np.sqrt(variance)))
