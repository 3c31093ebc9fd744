"""The second stage: candidates of several kinds, ordered by a model learned from earlier windows."""

import numpy as np

from serving.bundle import Array, Bundle
from serving.features import candidates, features

BEHIND = 1.0  # what lies between the last candidate and the first of the rest


def ranker(bundle: Bundle, customers: Array) -> Array:
    """Candidates by the learned model; behind them all other products by popularity, (n, P).

    Where a bundle holds no model there are no candidates.
    """
    most = max(float(bundle.popularity.max(initial=0)), 1.0)
    values = np.tile(bundle.popularity / most, (len(customers), 1))
    if bundle.trees is None:
        return values
    rows, products = candidates(bundle, customers)
    ranked = bundle.trees.inplace_predict(features(bundle, customers[rows], products))
    lowest = np.zeros(len(customers), np.float32)
    np.minimum.at(lowest, rows, ranked)
    # The rest lies between 0 and 1, so that each candidate stands before all of it.
    values[rows, products] = ranked - lowest[rows] + 1 + BEHIND
    return values
