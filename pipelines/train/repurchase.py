"""Purchase history: what each customer bought, how often, and when last."""

from dataclasses import dataclass

import numpy as np

from pipelines.prepare.interactions import Interactions
from serving.bundle.format import Array


@dataclass(frozen=True)
class History:
    """H pairs of customer and bought product; those of customer u are `start[u]` to `start[u + 1]`."""

    start: Array  # (C + 1,) int64
    product: Array  # (H,) int32
    orders: Array  # (H,) int32
    last: Array  # (H,) int32, days since 1970
    strength: Array  # (H,) float32, orders decayed by age


def history(known: Interactions, half_life_days: float) -> History:
    """Returns the purchase history; an order counts half after `half_life_days`."""
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
    """Returns the index of each interaction's (customer, product) in the data of a CSR matrix, (n,)."""
    width = len(known.products)
    keys = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)) * width + indices
    return np.searchsorted(keys, known.customer * width + known.product)
