"""Computes the ranker's candidates and features from a bundle; training and serving share this code."""

from dataclasses import dataclass

import numpy as np

from serving.bundle.format import Array, Bundle

BY_PURCHASE, BY_TASTE, BY_BUYERS, BY_BASKETS = 200, 100, 100, 50  # candidates of each kind for a customer


@dataclass(frozen=True)
class Pairs:
    """m pairs of a customer and a candidate product, by ascending customer and product."""

    rows: Array  # (m,) int64, indices among the customers asked for
    products: Array  # (m,) int64, rows of the bundle
    features: Array  # (m, F) float32, columns in the order of `traits.FEATURE_NAMES`


def candidates(bundle: Bundle, customers: Array) -> Pairs:
    """Returns the pairs to rank of n customers.

    A customer's candidates are the products bought most, the leading products, and of the other products
    the best by taste and by similarity to what the customer bought. customers: (n,) rows of the bundle.
    """
    from serving.recommend import pairs  # imports numba, which only the ranker needs

    most = pairs.Most(BY_PURCHASE, BY_TASTE, BY_BUYERS, BY_BASKETS)
    return Pairs(*pairs.pairs(bundle.learned, np.asarray(customers, np.int64), most))
