"""What customers have bought, as rows of a bundle."""

import numpy as np

from serving.bundle.format import Array, Bundle, expand_ranges


def purchases(bundle: Bundle, customers: Array) -> tuple[Array, Array]:
    """For each history row of the customers: its row among them, and its place in the history."""
    return expand_ranges(bundle.history_start[customers], bundle.history_start[customers + 1])


def bought_mask(bundle: Bundle, customers: Array) -> Array:
    """True where a customer has bought a product, (n, P) bool."""
    mask = np.zeros((len(customers), len(bundle.products)), dtype=bool)
    rows, places = purchases(bundle, customers)
    mask[rows, bundle.history_product[places]] = True
    return mask
