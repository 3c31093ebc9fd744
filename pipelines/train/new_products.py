"""What may be expected of products that nobody has bought yet, by those that are described alike."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

from serving.bundle.format import MIN_BUYERS, Array
from serving.recommend.reasons import MIN_DESCRIPTION_COSINE

NEIGHBOURS = 20
SHARPNESS = 4  # power of the cosine by which a neighbour weighs
DOUBT = 0.5  # weight of one more neighbour that nobody wants, who joins those of every product
HELD_OUT = 2000  # products with buyers, at most, on which expectations are tried
SEED = 11


@dataclass(frozen=True)
class NewProducts:
    """The products without a buyer of which something may be expected."""

    rows: Array  # (n,) ascending
    factors: Array  # (n, k) float32
    trend: Array  # (n,) float32


def estimate(
    described: Array, eligible: Array, popularity: Array, factors: Array, trend: Array
) -> NewProducts:
    """Factors and trend of newcomers by the products with buyers that are described most alike.

    described: (P, d) content vectors. eligible: (P,) bool, what may be recommended at all. popularity and
    trend: (P,) buyers. factors: (P, k). What neighbours foretell is scaled by what it is worth on
    products with buyers, each foretold by the others.
    """
    has_text = described.any(axis=1)
    known = np.flatnonzero(has_text & (popularity >= MIN_BUYERS))
    rows = np.flatnonzero(has_text & eligible & (popularity == 0))
    if not len(known) or not len(rows):
        return NewProducts(rows[:0], factors[:0], trend[:0])
    drawn = np.sort(np.random.default_rng(SEED).permutation(len(known))[:HELD_OUT])
    tried, wanted = _weights(described, known, known[drawn]), _weights(described, known, rows)
    foretold = [
        _scaled(wanted @ values[known], tried @ values[known], values[known[drawn]])
        for values in (factors, trend)
    ]
    alike = wanted.getnnz(axis=1) > 0
    return NewProducts(rows[alike], *(values[alike].astype(np.float32) for values in foretold))


def fill_rows(values: Array, rows: Array, of_newcomers: Array | bool) -> Array:
    """A copy of the values of all products with those of newcomers in their rows."""
    filled = values.copy()
    filled[rows] = of_newcomers
    return filled


def _weights(described: Array, known: Array, asked: Array) -> sp.csr_matrix:
    """How much each of the k known products tells of each of the asked ones, (n, k); none of itself."""
    index = NearestNeighbors(n_neighbors=min(NEIGHBOURS + 1, len(known))).fit(described[known])
    distance, found = index.kneighbors(described[asked])
    cosine = np.where(known[found] == asked[:, None], 0, 1 - distance**2 / 2)
    weight = np.where(cosine >= MIN_DESCRIPTION_COSINE, cosine, 0) ** SHARPNESS
    weight /= weight.sum(axis=1, keepdims=True) + DOUBT
    rows = np.repeat(np.arange(len(asked)), found.shape[1])
    weights = sp.csr_matrix((weight.ravel(), (rows, found.ravel())), shape=(len(asked), len(known)))
    weights.eliminate_zeros()
    return weights


def _scaled(values: Array, tried: Array, true: Array) -> Array:
    """The values times the factor, 0 at least, that brings what was tried closest to the truth."""
    fitting = float(np.vdot(tried, true)) / max(float(np.vdot(tried, tried)), 1e-12)
    return np.asarray(values * max(fitting, 0.0))
