"""Which products go together, and don't only please the same customers.

Customers of one taste buy coffees, this one today and that one next week: alternatives. Now and then two
of them meet in a basket, and over all baskets more often than by chance, for whoever loathes coffee has
neither. So chance is taken customer by customer: who has n baskets, a of them with the one product and b
with the other, has both in a * b / n by chance. What surely exceeds the sum of that over customers goes
together: the test of Mantel and Haenszel (1959), with each customer a stratum.
"""

from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipelines import columns as c
from pipelines.train.itemsets import Itemsets
from serving.bundle.format import Array

AT_ONCE = 10_000  # pairs whose customers are held in memory


def complementary(itemsets: Itemsets, baskets: pa.Table, confidence: float) -> Array:
    """Whether each pair is in one basket more often than chance explains, for sure, (n,) bool.

    baskets: customer, as any number, and products. confidence: of the one-sided interval that leaves out
    what chance explains.
    """
    bought, sizes = _habits(itemsets.products, baskets)
    pairs, seen = itemsets.members[1], itemsets.counts[1]
    deviations = NormalDist().inv_cdf(confidence)
    parts = [
        _exceeds(bought, sizes, pairs[at : at + AT_ONCE], seen[at : at + AT_ONCE], deviations)
        for at in range(0, len(pairs), AT_ONCE)
    ]
    return np.concatenate([np.empty(0, bool), *parts])


def _habits(products: pa.Array, baskets: pa.Table) -> tuple[sp.csr_matrix, Array]:
    """In how many baskets of each stratum each product is, (N, S); and the baskets of each, (S,).

    A stratum is a customer. One basket alone can't say what its customer buys apart, so customers of one
    are one stratum together; as guests are, who share a customer of null.
    """
    _, customer, count = np.unique(baskets[c.CUSTOMER].to_numpy(), return_inverse=True, return_counts=True)
    stratum = np.where(count > 1, np.arange(1, len(count) + 1), 0)[customer]
    lists = baskets[c.PRODUCTS].combine_chunks()
    place = pc.index_in(lists.flatten(), products)
    known = place.is_valid().to_numpy(zero_copy_only=False)
    rows = place.drop_null().to_numpy().astype(np.int64)
    columns = np.repeat(stratum, pc.list_value_length(lists).to_numpy())[known]
    shape = (len(products), len(count) + 1)
    bought = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    return bought, np.bincount(stratum, minlength=len(count) + 1).astype(float)


def _exceeds(bought: sp.csr_matrix, sizes: Array, pairs: Array, seen: Array, deviations: float) -> Array:
    """Whether what was seen of pairs lies so many standard deviations above chance, (n,) bool."""
    spread = bought.copy()  # a * (n - a), of which the hypergeometric variance is made
    spread.data = bought.data * (sizes[bought.indices] - bought.data)
    several = np.maximum(sizes, 2)
    one, other = pairs.T
    chance = bought[one].multiply(bought[other]) @ (1 / several)
    variance = spread[one].multiply(spread[other]) @ (1 / (several**2 * (several - 1)))
    return np.asarray((variance > 0) & (seen - chance > deviations * np.sqrt(variance)))
