"""Why a product is recommended: the purchases without which its score would be lower, or what it is like."""

from typing import Literal

import numpy as np

from serving.bundle import Array, Bundle
from serving.foldin import system

Kind = Literal["repurchase", "taste", "alike", "bought-together", "trending"]
Reason = tuple[Kind, tuple[int, ...]]

REASON_PRODUCTS = 2
ALIKE = 0.3  # the cosine from which on two descriptions are alike


def reasons(bundle: Bundle, customer: int, products: Array, component: str) -> list[Reason]:
    """What speaks for each product beside an own purchase of it; for a new one its description alone."""
    if component not in ("als", "ranker"):
        return [("trending", ())] * len(products)
    bought, is_new = bundle.bought(customer), bundle.new[products].tolist()
    taste = _most(bought, _losses(bundle, customer, products), 0.0)
    alike = _most(bought, bundle.content_factors[products] @ bundle.content_factors[bought].T, ALIKE)
    otherwise: Kind = "taste" if component == "als" else "trending"
    return [
        ("alike", a) if new else ("taste" if t else otherwise, t)
        for new, t, a in zip(is_new, taste, alike, strict=True)
    ]


def _most(bought: Array, speaking: Array, floor: float) -> list[tuple[int, ...]]:
    """For each of n products, those of h purchases that speak for it the most, (n, h), above a floor."""
    first = np.argsort(-speaking, axis=1, kind="stable")[:, :REASON_PRODUCTS]
    return [tuple(bought[row[said[row] > floor]].tolist()) for row, said in zip(first, speaking, strict=True)]


def _losses(bundle: Bundle, customer: int, products: Array) -> Array:
    """By how much the score of each of n products falls without each of a customer's h purchases, (n, h).

    A customer's factors are x = W Y'(1 + w), W = (Y'Y + Y' diag(w) Y + penalty I)^-1, with the bought
    products' factors in the rows of Y and w their weights: Hu, Koren, Volinsky (2008), section 5. Without
    purchase y they are x - W y (1 + w (1 - y'x)) / (1 - w y'W y), by the formula of Sherman and Morrison.
    """
    weight, rows = bundle.history_weight[bundle.history_of(customer)], bundle.bought(customer)
    bought = bundle.item_factors[rows]
    solved = bought @ np.linalg.inv(system(bundle, rows, weight)).astype(np.float32)  # Y W
    preference = solved @ (bought.T @ (1 + weight))
    leverage = np.einsum("hk,hk->h", solved, bought)
    share = (1 + weight * (1 - preference)) / (1 - weight * leverage)
    return np.asarray(bundle.item_factors[products] @ solved.T * share)
