"""Factors for who wasn't there when the bundle was learned: a guest's cart, a first purchase.

The closed form of alternating least squares, equation 4 of Hu, Koren, Volinsky (2008):
x = (Y'Y + Y'(C - I)Y + penalty I)^-1 Y'C p, with Y'Y made once for a bundle.
"""

import numpy as np

from serving.bundle.format import Array, Bundle

LEAST_PENALTY = 1e-9  # keeps the equation solvable where a shop has fewer products than factors


def fold_in(bundle: Bundle, products: Array, strengths: Array | None = None) -> Array:
    """The factors of a customer who bought some products, (k,) float32.

    products: (m,) distinct rows of the bundle. strengths: (m,) decayed orders, as ALS learned from; where
    None, one fresh order of each.
    """
    orders = np.ones(len(products)) if strengths is None else strengths
    weight = bundle.manifest["fold_in"]["alpha"] * orders
    wanted = bundle.item_factors[products].T @ (1 + weight)
    return np.linalg.solve(normal_matrix(bundle, products, weight), wanted).astype(np.float32)


def scores(bundle: Bundle, products: Array, strengths: Array | None = None) -> Array:
    """What a customer who bought some products would like, (P,) float32; -inf for these, as `fold_in`."""
    values = bundle.item_factors @ fold_in(bundle, products, strengths) * bundle.boost
    values[~bundle.sold_or_new] = -np.inf
    values[products] = -np.inf
    return values


def normal_matrix(bundle: Bundle, products: Array, weight: Array) -> Array:
    """What the factors of a customer are solved from, (k, k) float64: Y'Y + Y'(C - I)Y + penalty I.

    products: (m,) rows of the bundle. weight: (m,) confidence that a purchase of each adds.
    """
    learned = bundle.manifest["fold_in"]
    factors = bundle.item_factors[products].astype(np.float64)
    penalty = learned["penalty"] + learned["penalty_per_product"] * len(products)
    left = bundle.gram + (factors.T * weight) @ factors
    left[np.diag_indices_from(left)] += max(penalty, LEAST_PENALTY)
    return np.asarray(left)
