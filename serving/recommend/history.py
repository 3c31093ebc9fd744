"""Looks up what customers have bought, as rows of a bundle."""

import numpy as np

from serving.bundle.format import Array, Bundle, expand_ranges


def purchases(bundle: Bundle, customers: Array) -> tuple[Array, Array]:
    """Returns all history rows of n customers: the index among them, and the history row, (h,) int64 each.

    customers: (n,) rows of the bundle.
    """
    return expand_ranges(bundle.history_start[customers], bundle.history_start[customers + 1])


def bought_mask(bundle: Bundle, customers: Array) -> Array:
    """Returns True where a customer has bought a product, (n, P) bool. customers: (n,) rows of the bundle."""
    mask = np.zeros((len(customers), len(bundle.products)), dtype=bool)
    indices, history_rows = purchases(bundle, customers)
    mask[indices, bundle.history_product[history_rows]] = True
    return mask
