"""How much scores fall without each purchase, in compiled code."""

import numpy as np

from serving.bundle.compiler import Array, summing


@summing
def losses(gram: Array, penalty: float, bought: Array, weight: Array, products: Array) -> Array:
    """Returns what `reasons.score_losses` describes, (n, h) float64.

    With L L' = W^-1 (Cholesky), y'W z is the inner product of L^-1 y and L^-1 z: one forward substitution of
    all vectors gives every product that the formula needs.

    gram: (k, k) float64. bought: (h, k) float64, factors. weight: (h,) float64. products: (n, k) float64.
    """
    h, n, k = len(bought), len(products), len(gram)
    lower = gram.copy()
    for purchase in range(h):
        for row in range(k):
            weighted = weight[purchase] * bought[purchase, row]
            for column in range(row + 1):
                lower[row, column] += weighted * bought[purchase, column]
    columns = np.zeros((k, h + n + 1), np.float64)  # purchases, products, and the right side of the equations
    for row in range(k):
        for purchase in range(h):
            columns[row, purchase] = bought[purchase, row]
            columns[row, h + n] += (1 + weight[purchase]) * bought[purchase, row]
        for product in range(n):
            columns[row, h + product] = products[product, row]
        lower[row, row] += penalty
    _factorise(lower)
    _substitute(lower, columns)
    found = np.zeros((n, h), np.float64)
    leverage, preference = np.zeros(h), np.zeros(h)
    for row in range(k):
        for purchase in range(h):
            own = columns[row, purchase]
            leverage[purchase] += own * own
            preference[purchase] += own * columns[row, h + n]
        for product in range(n):
            for purchase in range(h):
                found[product, purchase] += columns[row, h + product] * columns[row, purchase]
    return found * (1 + weight * (1 - preference)) / (1 - weight * leverage)


@summing
def _factorise(lower: Array) -> None:
    """Replaces the lower triangle of a positive definite matrix, (k, k), by its Cholesky factor."""
    for column in range(len(lower)):
        for row in range(column, len(lower)):
            total = lower[row, column]
            for earlier in range(column):
                total -= lower[row, earlier] * lower[column, earlier]
            lower[row, column] = total
        lower[column, column] = np.sqrt(lower[column, column])
        for row in range(column + 1, len(lower)):
            lower[row, column] /= lower[column, column]


@summing
def _substitute(lower: Array, columns: Array) -> None:
    """Replaces columns, (k, m), by the solutions of L x = column."""
    for row in range(len(lower)):
        for earlier in range(row):
            factor = lower[row, earlier]
            for column in range(columns.shape[1]):
                columns[row, column] -= factor * columns[earlier, column]
        scale = 1 / lower[row, row]
        for column in range(columns.shape[1]):
            columns[row, column] *= scale
