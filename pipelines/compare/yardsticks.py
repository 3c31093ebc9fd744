"""Models of papers, which answer no lane, to hold those that do against."""

import numpy as np
import scipy.sparse as sp

from pipelines.train.als import AlsSettings
from serving.bundle.format import Array, Bundle
from serving.recommend.recommender import Scorer

LATELY, PLAIN, EASE = "popularity-28d", "als-plain", "ease"
WINDOW = 28  # days
MOST_PRODUCTS = 10_000  # EASE inverts a matrix of products by products
FOREVER = 1e6  # days after which a purchase counts half: age plays no part
# Both were the best of several on the validation window of Online Retail II.
PENALTY = 250.0
PLAIN_ALS = AlsSettings(rank=64, regularisation=10, alpha=0.3, half_life_days=FOREVER, iterations=10)


def popularity_lately(bundle: Bundle, customers: Array) -> Array:
    """Distinct buyers within the last 28 days, the same for everyone, (n, P)."""
    recent = bundle.recent[bundle.manifest["recent_days"].index(WINDOW)]
    return np.tile(recent.astype(np.float32), (len(customers), 1))


def ease(bundle: Bundle) -> Scorer:
    """What scores by EASE: products foretell one another linearly, none itself; Steck (2019).

    Learned from who bought what, however often and long ago. Takes 8 P^2 bytes twice.
    """
    bought = _bought(bundle)
    inverse = (bought.T @ bought).toarray()
    inverse[np.diag_indices_from(inverse)] += PENALTY
    inverse = np.linalg.inv(inverse)
    weights = (inverse / -np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return lambda _, customers: np.asarray(bought[customers].astype(np.float32) @ weights)


def _bought(bundle: Bundle) -> sp.csr_matrix:
    """1 where a customer bought a product, (C, P) float64."""
    shape = (len(bundle.customers), len(bundle.products))
    ones = np.ones(len(bundle.history_product))
    return sp.csr_matrix((ones, bundle.history_product, bundle.history_start), shape=shape)
