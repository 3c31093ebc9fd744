"""Yardsticks: published models that the champion is compared with; they answer no lane."""

import numpy as np
import scipy.sparse as sp

from pipelines.train.als import AlsSettings
from serving.bundle.format import Array, Bundle
from serving.recommend.recommender import Scorer

LATELY, PLAIN, EASE = "popularity-28d", "als-plain", "ease"
WINDOW = 28  # days
MOST_PRODUCTS = 10_000  # EASE inverts a matrix of products by products
FOREVER = 1e6  # half-life in days with which age makes no difference
# PENALTY and PLAIN_ALS were the best of several values on the validation window of Online Retail II.
PENALTY = 250.0
PLAIN_ALS = AlsSettings(rank=64, regularisation=10, alpha=0.3, half_life_days=FOREVER, iterations=10)


def popularity_lately(bundle: Bundle, customers: Array) -> Array:
    """Returns distinct buyers within the last 28 days, (n, P) float32, the same in each row."""
    recent = bundle.recent[bundle.manifest["recent_days"].index(WINDOW)]
    return np.tile(recent.astype(np.float32), (len(customers), 1))


def ease(bundle: Bundle) -> Scorer:
    """Returns a scorer by EASE, a linear item-item model with a zero diagonal: Steck (2019).

    It is fitted to binary purchases of any age, and takes 16 P^2 bytes of memory.
    """
    bought = _bought(bundle)
    inverse = (bought.T @ bought).toarray()
    inverse[np.diag_indices_from(inverse)] += PENALTY
    inverse = np.linalg.inv(inverse)
    weights = (inverse / -np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return lambda _, customers: np.asarray(bought[customers].astype(np.float32) @ weights)


def _bought(bundle: Bundle) -> sp.csr_matrix:
    """Returns which customer bought which product, (C, P) float64 of 0 and 1."""
    shape = (len(bundle.customers), len(bundle.products))
    ones = np.ones(len(bundle.history_product))
    return sp.csr_matrix((ones, bundle.history_product, bundle.history_start), shape=shape)
