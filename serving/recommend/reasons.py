"""Why a product is recommended: the purchases without which its score would be lower, or what it is like."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.recommend.fold_in import normal_matrix

Kind = Literal["repurchase", "taste", "alike", "bought-together", "trending"]
Reason = tuple[Kind, tuple[int, ...]]
Explain = Callable[[Bundle, int, Array, str], list[Reason]]  # of a customer, products, by a component

REASON_PRODUCTS = 2
MIN_DESCRIPTION_COSINE = 0.3  # the cosine from which on two descriptions are alike


def reasons(bundle: Bundle, customer: int, products: Array, component: str) -> list[Reason]:
    """What speaks for each product beside an own purchase of it; for a new one its description alone."""
    if component not in ("als", "ranker"):
        return [("trending", ())] * len(products)
    weight = bundle.history_weight[bundle.history_rows(customer)]
    found = taste_reasons(bundle, bundle.bought(customer), weight, products)
    if component == "als":
        return found
    return [("trending", ()) if reason == ("taste", ()) else reason for reason in found]


def reason_kinds(bundle: Bundle, customer: int, products: Array, component: str) -> list[Reason]:
    """The same without the purchases that say so, for those who ask of many customers."""
    told: list[Reason] = [("alike" if new else "taste", ()) for new in bundle.new[products]]
    if component == "als":
        return told
    own, spoken = bundle.bought(customer), np.zeros(len(products), bool)
    other = ~(products[:, None] == own).any(axis=1)
    if component == "ranker" and other.any():
        weight = bundle.history_weight[bundle.history_rows(customer)]
        spoken[other] = is_supported(bundle, own, weight, products[other])
        spoken |= bundle.new[products]
    return [kind if said else ("trending", ()) for kind, said in zip(told, spoken, strict=True)]


def taste_reasons(bundle: Bundle, bought: Array, weight: Array, products: Array) -> list[Reason]:
    """What of h products, bought or wanted with a weight, (h,) each, speaks for each of n others."""
    taste = _most(bought, score_losses(bundle, bought, weight, products), 0.0)
    if not (is_new := bundle.new[products]).any():
        return [("taste", t) for t in taste]
    alike = _most(
        bought, bundle.content_factors[products] @ bundle.content_factors[bought].T, MIN_DESCRIPTION_COSINE
    )
    return [("alike", a) if new else ("taste", t) for new, t, a in zip(is_new, taste, alike, strict=True)]


def _most(bought: Array, speaking: Array, floor: float) -> list[tuple[int, ...]]:
    """For each of n products, those of h purchases that speak for it the most, (n, h), above a floor."""
    first = np.argsort(-speaking, axis=1, kind="stable")[:, :REASON_PRODUCTS]
    return [tuple(bought[row[said[row] > floor]].tolist()) for row, said in zip(first, speaking, strict=True)]


def score_losses(bundle: Bundle, rows: Array, weight: Array, products: Array) -> Array:
    """By how much the score of each of n products falls without each of h purchases, (n, h).

    rows, weight: (h,) the products bought and their weights. The factors of who bought them are
    x = W Y'(1 + w), W = (Y'Y + Y' diag(w) Y + penalty I)^-1, with the bought products' factors in the rows
    of Y and w their weights: Hu, Koren, Volinsky (2008), section 5. Without
    purchase y they are x - W y (1 + w (1 - y'x)) / (1 - w y'W y), by the formula of Sherman and Morrison.
    """
    bought = bundle.item_factors[rows]
    solved = np.linalg.solve(normal_matrix(bundle, rows, weight), bought.T).T.astype(np.float32)  # Y W
    preference = solved @ (bought.T @ (1 + weight))
    leverage = np.einsum("hk,hk->h", solved, bought)
    share = (1 + weight * (1 - preference)) / (1 - weight * leverage)
    return np.asarray(bundle.item_factors[products] @ solved.T * share)


def is_supported(bundle: Bundle, rows: Array, weight: Array, products: Array) -> Array:
    """True for each of n products that would lose by missing any of h purchases, (n,) bool.

    rows, weight: as in `losses`, of which the signs are looked at alone: 1 - w y'W y is always above zero,
    so that what is solved is as much as there are products and not as there are purchases.
    """
    bought = bundle.item_factors[rows]
    wanted = np.vstack([bundle.item_factors[products], (1 + weight) @ bought])
    solved = np.linalg.solve(normal_matrix(bundle, rows, weight), wanted.T).T.astype(np.float32)
    share = 1 + weight * (1 - bought @ solved[-1])
    return np.asarray((solved[:-1] @ bought.T * share > 0).any(axis=1))
