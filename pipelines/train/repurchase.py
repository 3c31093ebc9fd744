"""What each customer bought: how often, how lately."""

from dataclasses import dataclass

import numpy as np

from pipelines.prepare.interactions import Interactions
from serving.bundle.format import Array


@dataclass(frozen=True)
class History:
    """Per customer the bought products, as rows between `start[u]` and `start[u + 1]`."""

    start: Array  # (C + 1,) int64
    product: Array  # (H,) int32
    orders: Array  # (H,) int32
    last: Array  # (H,) int32, days since 1970
    strength: Array  # (H,) float32, orders, recent ones weighing more


def history(known: Interactions, half_life_days: float) -> History:
    """The purchase history, its strength halving with each half-life of age."""
    strength = known.matrix(known.orders * known.decay(half_life_days))
    orders = known.matrix(known.orders)
    last = np.zeros(strength.nnz, dtype=np.int32)
    np.maximum.at(last, history_rows(strength.indptr, strength.indices, known), known.day)
    return History(
        strength.indptr.astype(np.int64),
        strength.indices.astype(np.int32),
        orders.data.astype(np.int32),
        last,
        strength.data,
    )


def history_rows(indptr: Array, indices: Array, known: Interactions) -> Array:
    """The place in a CSR matrix of each row's (customer, product), (n,)."""
    width = len(known.products)
    keys = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)) * width + indices
    return np.searchsorted(keys, known.customer * width + known.product)
