"""Looks up what customers have bought, as rows of a bundle."""

from serving.bundle.format import Array, Bundle, expand_ranges


def purchases(bundle: Bundle, customers: Array) -> tuple[Array, Array]:
    """Returns all history rows of n customers: the index among them, and the history row, (h,) int64 each.

    customers: (n,) rows of the bundle.
    """
    return expand_ranges(bundle.history_start[customers], bundle.history_start[customers + 1])
