"""Whether a sample of customers is like the whole, by the distributions that make a shop.

A distribution of the sample is compared with that of the whole: by the Kolmogorov-Smirnov distance
where its bins have an order, by the total variation distance where they have none. A p-value says how
often a plain random sample of as many customers lies at least as far off. It is found by drawing such
samples, customer by customer, since the lines of one customer are alike: textbook tables take them for
independent, and would call a good sample a bad one (Ernst 2004, "Permutation Methods: A Basis for Exact
Inference", Statistical Science 19). The draw counts as one of the draws, which keeps the test exact and
p above 0 (Phipson and Smyth 2010, "Permutation P-values Should Never Be Zero", SAGMB 9).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipelines import columns as c
from serving.bundle.format import Array

DRAWS = 1000  # the draw itself and 999 random ones
BATCH = 50  # draws at a time: 100,000 customers and 50,000 products then take under 100 MB
LEVEL = 0.05


@dataclass(frozen=True)
class Distribution:
    """What customers add to the bins of a distribution; ordered bins stand for 0, 1, 2, ..."""

    name: str
    histograms: sp.csr_matrix  # (C, B) float64, counts
    ordered: bool

    def shares(self, chosen: Array) -> Array:
        """The share of each bin among the chosen customers, (B, K), of 0/1 columns (C, K)."""
        counts = self.histograms.T @ chosen
        return np.asarray(counts / np.maximum(counts.sum(axis=0), 1))

    def distances(self, chosen: Array, whole: Array) -> Array:
        """The distance of each column of chosen customers from the shares of the whole (B, 1), (K,)."""
        apart = self.shares(chosen) - whole
        if self.ordered:
            apart = np.abs(np.cumsum(apart, axis=0)).max(axis=0)
        else:
            apart = np.abs(apart).sum(axis=0) / 2
        return np.asarray(apart.round(12))  # equal distances stay equal, whatever was rounded on the way

    def figure(self, shares: Array, whole: Array) -> float:
        """The mean of ordered bins; of others the share of the bin that is the largest of the whole."""
        return float(np.arange(len(shares)) @ shares[:, 0] if self.ordered else shares[whole.argmax(), 0])


@dataclass(frozen=True)
class Comparison:
    """How far a distribution of the sample is from that of the whole."""

    name: str
    ordered: bool
    whole: float  # the mean, or the largest share
    sample: float
    distance: float
    p: float


def distributions(known: pa.Table, customers: pa.Array) -> list[Distribution]:
    """What is compared: purchases by customer, order, category and product; returns don't count."""
    bought = known.filter(pc.greater(known[c.QUANTITY], 0))
    baskets = bought.group_by([c.CUSTOMER, c.ORDER_ID]).aggregate([(c.PRODUCT, "count")])
    buyer, owner = (pc.index_in(rows[c.CUSTOMER], customers).to_numpy() for rows in (bought, baskets))
    everyone = np.arange(len(customers))
    orders = np.bincount(owner, minlength=len(customers))
    sizes = baskets[f"{c.PRODUCT}_count"].to_numpy()

    def distribution(name: str, customer: Array, bins: Array, ordered: bool) -> Distribution:
        shape = (len(customers), int(bins.max(initial=0)) + 1)
        counts = sp.coo_matrix((np.ones(len(bins)), (customer, bins)), shape=shape)
        return Distribution(name, counts.tocsr(), ordered)

    return [
        distribution("orders per customer", everyone, orders, ordered=True),
        distribution("basket sizes", owner, sizes, ordered=True),
        distribution("category shares", buyer, _codes(bought[c.CATEGORY]), ordered=False),
        distribution("popularity", buyer, _codes(bought[c.PRODUCT]), ordered=False),
        distribution("repeat rate", everyone[orders > 0], orders[orders > 0] > 1, ordered=True),
    ]


def compare(found: list[Distribution], chosen: Array, seed: int) -> list[Comparison]:
    """Each distribution of the chosen customers, (C,) bool, beside the whole."""
    everyone = np.ones((len(chosen), 1))
    wholes = [one.shares(everyone) for one in found]
    distances = np.hstack(
        [
            [one.distances(batch, whole) for one, whole in zip(found, wholes, strict=True)]
            for batch in _draws(chosen, seed)
        ]
    )
    at_least = (distances >= distances[:, :1]).mean(axis=1)
    return [
        Comparison(
            one.name,
            one.ordered,
            one.figure(whole, whole),
            one.figure(one.shares(chosen[:, None].astype(float)), whole),
            *map(float, (distance, p)),
        )
        for one, whole, distance, p in zip(found, wholes, distances[:, 0], at_least, strict=True)
    ]


def verdict(comparisons: list[Comparison]) -> str:
    """One sentence: which distributions differ, at 5 % over all of them.

    Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure": of five independent
    tests of a good sample, 23 in 100 times one has a p-value below 0.05.
    """
    differ = []
    for rank, one in enumerate(sorted(comparisons, key=lambda one: one.p)):
        if one.p * (len(comparisons) - rank) >= LEVEL:
            break
        differ.append(one.name)
    if not differ:
        return f"No distribution is further from the whole than chance puts it (p < {LEVEL}, Holm)."
    return f"Further from the whole than chance puts it: {', '.join(differ)} (p < {LEVEL}, Holm)."


def _draws(chosen: Array, seed: int) -> Iterator[Array]:
    """The draw and then random ones of as many customers, 0/1 columns (C, BATCH) at a time."""
    rng = np.random.default_rng(seed)
    for start in range(0, DRAWS, BATCH):
        batch = np.zeros((len(chosen), BATCH))
        for column in batch.T:
            column[rng.choice(len(chosen), chosen.sum(), replace=False, shuffle=False)] = 1
        if start == 0:
            batch[:, 0] = chosen
        yield batch


def _codes(values: pa.ChunkedArray) -> Array:
    """A number per value, (n,); null is a value like the others."""
    return np.asarray(values.combine_chunks().dictionary_encode(null_encoding="encode").indices)
