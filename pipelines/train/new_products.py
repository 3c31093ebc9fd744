"""Estimates for products without a buyer (item cold start), from products with similar descriptions."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

from serving.bundle.format import MIN_BUYERS, Array
from serving.recommend.reasons import MIN_DESCRIPTION_COSINE

NEIGHBOURS = 20
SHARPNESS = 4  # a neighbour's weight is its cosine ** SHARPNESS
SHRINKAGE = 0.5  # weight of an extra neighbour with zero values: few or distant neighbours count for less
HELD_OUT = 2000  # products with buyers, at most, that the estimates are calibrated on
SEED = 11


@dataclass(frozen=True)
class NewProducts:
    """Products without a buyer, and what is estimated for them."""

    rows: Array  # (n,) int64, sorted
    factors: Array  # (n, k) float32
    trend: Array  # (n,) float32


def estimate(
    content_vectors: Array, eligible: Array, popularity: Array, factors: Array, trend: Array
) -> NewProducts:
    """Returns factors and trend of the products without a buyer: weighted means over similar products.

    content_vectors: (P, d) float32. eligible: (P,) bool, what may be recommended. popularity, trend: (P,)
    float32 buyers. factors: (P, k) float32. Only products with at least MIN_BUYERS buyers are neighbours.
    The means are scaled by the factor that fits best when such products are estimated from each other.
    """
    has_text = content_vectors.any(axis=1)
    bought = np.flatnonzero(has_text & (popularity >= MIN_BUYERS))
    new = np.flatnonzero(has_text & eligible & (popularity == 0))
    if not len(bought) or not len(new):
        return NewProducts(new[:0], factors[:0], trend[:0])
    sampled = np.sort(np.random.default_rng(SEED).permutation(len(bought))[:HELD_OUT])
    held_out = bought[sampled]
    calibration, weights = (_weights(content_vectors, bought, rows) for rows in (held_out, new))
    estimates = [
        _scaled(weights @ values[bought], calibration @ values[bought], values[held_out])
        for values in (factors, trend)
    ]
    has_neighbour = weights.getnnz(axis=1) > 0
    return NewProducts(
        new[has_neighbour], *(values[has_neighbour].astype(np.float32) for values in estimates)
    )


def fill_rows(values: Array, rows: Array, replacement: Array | bool) -> Array:
    """Returns a copy of the values, (P, ...), with the given rows replaced."""
    filled = values.copy()
    filled[rows] = replacement
    return filled


def _weights(content_vectors: Array, bought: Array, wanted: Array) -> sp.csr_matrix:
    """Returns the weight of each of the k bought products for each of n wanted ones, (n, k); 0 for itself."""
    index = NearestNeighbors(n_neighbors=min(NEIGHBOURS + 1, len(bought))).fit(content_vectors[bought])
    distance, neighbour = index.kneighbors(content_vectors[wanted])
    cosine = np.where(bought[neighbour] == wanted[:, None], 0, 1 - distance**2 / 2)
    weight = np.where(cosine >= MIN_DESCRIPTION_COSINE, cosine, 0) ** SHARPNESS
    weight /= weight.sum(axis=1, keepdims=True) + SHRINKAGE
    rows = np.repeat(np.arange(len(wanted)), neighbour.shape[1])
    weights = sp.csr_matrix((weight.ravel(), (rows, neighbour.ravel())), shape=(len(wanted), len(bought)))
    weights.eliminate_zeros()
    return weights


def _scaled(values: Array, estimates: Array, truth: Array) -> Array:
    """Returns the values times the factor >= 0 by which the estimates fit the truth best (least squares)."""
    factor = float(np.vdot(estimates, truth)) / max(float(np.vdot(estimates, estimates)), 1e-12)
    return np.asarray(values * max(factor, 0.0))
