"""Why a product is recommended: the purchases without which its score would be lower."""

import numpy as np

from serving.bundle import Array, Bundle

REASON_PRODUCTS = 2


def speaking_for(bundle: Bundle, customer: int, products: Array) -> list[tuple[int, ...]]:
    """For each product the customer's purchases that its score would lose most without, the first first."""
    bought, losses = bundle.bought(customer), _losses(bundle, customer, products)
    most = np.argsort(-losses, axis=1, kind="stable")[:, :REASON_PRODUCTS]
    return [tuple(bought[row[loss[row] > 0]].tolist()) for row, loss in zip(most, losses, strict=True)]


def _losses(bundle: Bundle, customer: int, products: Array) -> Array:
    """By how much the score of each of n products falls without each of a customer's h purchases, (n, h).

    A customer's factors are x = W Y'(1 + w), W = (gram + Y' diag(w) Y)^-1, with the bought products' factors
    in the rows of Y and w their weights: Hu, Koren, Volinsky (2008), section 5. Without purchase y they
    are x - W y (1 + w (1 - y'x)) / (1 - w y'W y), by the formula of Sherman and Morrison.
    """
    weight = bundle.history_weight[bundle.history_of(customer)]
    bought = bundle.item_factors[bundle.bought(customer)]
    system = bundle.item_gram + (bought.T * weight) @ bought
    solved = bought @ np.linalg.inv(system.astype(float)).astype(np.float32)  # Y W
    preference = solved @ (bought.T @ (1 + weight))
    leverage = np.einsum("hk,hk->h", solved, bought)
    share = (1 + weight * (1 - preference)) / (1 - weight * leverage)
    return np.asarray(bundle.item_factors[products] @ solved.T * share)
