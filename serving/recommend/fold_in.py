"""Computes factors for a customer the bundle has not learned: an anonymous cart, a first purchase.

This is one half-step of alternating least squares, equation 4 of Hu, Koren, Volinsky (2008),
"Collaborative Filtering for Implicit Feedback Datasets":

    x = (Y'Y + Y'(C - I)Y + penalty I)^-1 Y'C p

Y holds the item factors, C the confidence (1 + alpha * orders) and p is 1 for the products bought. Y'Y is
computed once for a bundle.
"""

import numpy as np

from serving.bundle.format import Array, Bundle

LEAST_PENALTY = 1e-9  # keeps the equation solvable if a shop has fewer products than factors


def fold_in(bundle: Bundle, products: Array, strengths: Array | None = None) -> Array:
    """Returns the factors of a customer who bought the given products, (k,) float32.

    products: (m,) int64, distinct rows of the bundle. strengths: (m,) float64, orders that decay with age,
    as in ALS; None stands for one fresh order each.

    By hand, for two products with factors (1, 0) and (0, 1), alpha 2 and penalty 1: an order of the first
    has the confidence 1 + 2, so the first factor is (1 + 2) / (1 + 2 + 1) = 0.75. Half an order of the
    second has the confidence 1 + 1, so the second factor is (1 + 1) / (1 + 1 + 1) = 0.67.

    >>> from types import SimpleNamespace
    >>> settings = {"alpha": 2.0, "penalty": 1.0, "penalty_per_product": 0.0}
    >>> bundle = SimpleNamespace(item_factors=np.eye(2), gram=np.eye(2), manifest={"fold_in": settings})
    >>> print(fold_in(bundle, np.array([0])))
    [0.75 0.  ]
    >>> print(fold_in(bundle, np.array([0, 1]), np.array([1.0, 0.5])).round(2))
    [0.75 0.67]
    """
    orders = np.ones(len(products)) if strengths is None else strengths
    weight = bundle.manifest["fold_in"]["alpha"] * orders
    right = bundle.item_factors[products].T @ (1 + weight)
    return np.linalg.solve(normal_matrix(bundle, products, weight), right).astype(np.float32)


def scores(bundle: Bundle, products: Array, strengths: Array | None = None) -> Array:
    """Returns the scores of all products for a customer who bought the given ones, (P,) float32.

    The given products, hidden products, and products without factors score -inf.

    products, strengths: as in `fold_in`.
    """
    values = bundle.item_factors @ fold_in(bundle, products, strengths) * bundle.boost
    values[~bundle.sold_or_new] = -np.inf
    values[products] = -np.inf
    return values


def normal_matrix(bundle: Bundle, products: Array, weight: Array) -> Array:
    """Returns the matrix of the customer's normal equations, Y'Y + Y'(C - I)Y + penalty I, (k, k) float64.

    products: (m,) int64, rows of the bundle. weight: (m,) float, the confidence that the purchase of each
    adds, the diagonal of C - I.

    >>> from types import SimpleNamespace
    >>> settings = {"alpha": 2.0, "penalty": 1.0, "penalty_per_product": 0.0}
    >>> bundle = SimpleNamespace(item_factors=np.eye(2), gram=np.eye(2), manifest={"fold_in": settings})
    >>> normal_matrix(bundle, np.array([0]), np.array([2.0])).tolist()
    [[4.0, 0.0], [0.0, 2.0]]
    """
    factors = bundle.item_factors[products].astype(np.float64)
    matrix = bundle.gram + (factors.T * weight) @ factors
    matrix.flat[:: len(matrix) + 1] += penalty(bundle, len(products))
    return np.asarray(matrix)


def penalty(bundle: Bundle, products: int) -> float:
    """Returns the penalty on the squared factors of a customer who bought so many products."""
    settings = bundle.manifest["fold_in"]
    return max(float(settings["penalty"] + settings["penalty_per_product"] * products), LEAST_PENALTY)
