"""The second stage: candidates of several kinds, ordered by a model learned from earlier windows."""

import numpy as np

from serving.bundle import Array, Bundle
from serving.features import candidates, features

BEHIND = 1.0  # what lies between the last candidate and the first of the rest
# What a taste counts that a description alone foretells. On Online Retail II, four weeks before the test
# window, new products that are shown are then bought as often as the others, or rather more.
DOUBT = 0.5


def ranker(bundle: Bundle, customers: Array) -> Array:
    """Candidates by the learned model; behind them all other products by popularity, (n, P).

    The model knows nothing of products without a sale: a new one stands among the candidates where the
    customer's taste would put it. Where a bundle holds no model there are no candidates.
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
    if bundle.new.any():
        _place_new(bundle, customers, values, rows, products)
    return values


def _place_new(bundle: Bundle, customers: Array, values: Array, rows: Array, products: Array) -> None:
    """Gives new products the score of the candidate that stands where their taste would put them.

    rows, products: (m,) the candidates, rows ascending. One that pleases less than all of
    them, or not at all, stays behind.
    """
    new = np.flatnonzero(bundle.new)
    pairs = np.einsum("mk,mk->m", bundle.user_factors[customers[rows]], bundle.item_factors[products])
    tastes = pairs * bundle.boost[products]
    of_new = bundle.user_factors[customers] @ bundle.item_factors[new].T * bundle.boost[new] * DOUBT
    ends = np.searchsorted(rows, np.arange(len(customers) + 1))
    for row, pleased in enumerate(of_new):
        own = slice(ends[row], ends[row + 1])
        place = np.searchsorted(np.sort(-tastes[own]), -pleased)  # how many candidates please more
        among = (place < own.stop - own.start) & (pleased > 0)
        by_score = -np.sort(-values[row, products[own]])
        values[row, new[among]] = by_score[place[among]]
