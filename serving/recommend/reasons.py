"""Explains recommendations: by the customer's purchases that raise the score, or by a similar description."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.recommend.fold_in import normal_matrix, penalty

Kind = Literal["repurchase", "taste", "alike", "bought-together", "trending"]
Reason = tuple[Kind, tuple[int, ...]]  # the kind, and the purchased products that it names
Explain = Callable[[Bundle, int, Array, str], list[Reason]]  # takes (bundle, customer, products, component)

REASON_PRODUCTS = 2  # purchases that a reason names at most
MIN_DESCRIPTION_COSINE = 0.3  # from this cosine on, two descriptions are similar


def reasons(bundle: Bundle, customer: int, products: Array, component: str) -> list[Reason]:
    """Returns for each product why a component recommends it, not counting the customer's purchases of it.

    A new product is explained by its description alone. customer: a row of the bundle. products: (n,) rows.
    """
    if component not in ("als", "ranker"):
        return [("trending", ())] * len(products)
    weight = bundle.history_weight[bundle.history_rows(customer)]
    by_taste = taste_reasons(bundle, bundle.bought(customer), weight, products)
    if component == "als":
        return by_taste
    return [("trending", ()) if reason == ("taste", ()) else reason for reason in by_taste]


def reason_kinds(bundle: Bundle, customer: int, products: Array, component: str) -> list[Reason]:
    """Returns the kinds of `reasons` without the purchases, which is faster for many customers."""
    by_taste: list[Reason] = [("alike" if new else "taste", ()) for new in bundle.new[products]]
    if component == "als":
        return by_taste
    own, supported = bundle.bought(customer), np.zeros(len(products), bool)
    other = ~(products[:, None] == own).any(axis=1)
    if component == "ranker" and other.any():
        weight = bundle.history_weight[bundle.history_rows(customer)]
        supported[other] = is_supported(bundle, own, weight, products[other])
        supported |= bundle.new[products]
    return [
        reason if has_support else ("trending", ())
        for reason, has_support in zip(by_taste, supported, strict=True)
    ]


def taste_reasons(bundle: Bundle, bought: Array, weight: Array, products: Array) -> list[Reason]:
    """Returns for each of n products the purchases that raise its score most.

    For a new product, the purchases with the most similar description. bought: (h,) rows of the bundle.
    weight: (h,) float, the confidence that each purchase adds. products: (n,) rows.
    """
    by_score = _strongest(bought, score_losses(bundle, bought, weight, products), 0.0)
    if not (is_new := bundle.new[products]).any():
        return [("taste", because) for because in by_score]
    cosine = bundle.content_factors[products] @ bundle.content_factors[bought].T
    by_description = _strongest(bought, cosine, MIN_DESCRIPTION_COSINE)
    return [
        ("alike", alike) if new else ("taste", taste)
        for new, taste, alike in zip(is_new, by_score, by_description, strict=True)
    ]


def _strongest(bought: Array, support: Array, floor: float) -> list[tuple[int, ...]]:
    """Returns for each of n products the purchases with the most support above a floor.

    bought: (h,) rows of the bundle. support: (n, h).
    """
    first = np.argsort(-support, axis=1, kind="stable")[:, :REASON_PRODUCTS]
    return [
        tuple(bought[columns[row[columns] > floor]].tolist())
        for columns, row in zip(first, support, strict=True)
    ]


def score_losses(bundle: Bundle, rows: Array, weight: Array, products: Array) -> Array:
    """Returns how much the score of each of n products falls without each of h purchases, (n, h) float.

    rows: (h,) the products bought, rows of the bundle. weight: (h,) float, the confidence w that each adds.
    products: (n,) rows.

    The customer's factors are x = W B'(1 + w) with W = (Y'Y + B' diag(w) B + penalty I)^-1, where Y holds
    all item factors and B those of the products bought: Hu, Koren, Volinsky (2008), section 5. Without the
    purchase of a product with factors y they are x - W y (1 + w (1 - y'x)) / (1 - w y'W y), by the formula
    of Sherman and Morrison.

    By hand, for one purchase of a product with factor 1, alpha 2 and penalty 1: x is 3 / 4 (see `fold_in`)
    and 0 without the purchase, so a product with factor 0.5 loses 0.5 * 3 / 4.

    >>> from types import SimpleNamespace
    >>> settings = {"alpha": 2.0, "penalty": 1.0, "penalty_per_product": 0.0}
    >>> factors = np.array([[1.0], [0.5]])
    >>> bundle = SimpleNamespace(item_factors=factors, gram=np.eye(1), manifest={"fold_in": settings})
    >>> score_losses(bundle, np.array([0]), np.array([2.0]), np.array([1])).tolist()
    [[0.375]]
    """
    from serving.recommend.losses import losses  # imports numba, which takes most of a second

    factors = bundle.item_factors
    return losses(
        bundle.gram,
        penalty(bundle, len(rows)),
        factors[rows].astype(np.float64),
        weight.astype(np.float64),
        factors[products].astype(np.float64),
    )


def is_supported(bundle: Bundle, rows: Array, weight: Array, products: Array) -> Array:
    """Returns True for each product whose score would fall without some purchase, (n,) bool.

    rows, weight, products: as in `score_losses`. Only the signs of the losses matter, and 1 - w y'W y is
    always above zero, so this solves for the n products instead of the h purchases.
    """
    bought = bundle.item_factors[rows]
    right = np.vstack([bundle.item_factors[products], (1 + weight) @ bought])
    solved = np.linalg.solve(normal_matrix(bundle, rows, weight), right.T).T.astype(np.float32)
    share = 1 + weight * (1 - bought @ solved[-1])
    return np.asarray((solved[:-1] @ bought.T * share > 0).any(axis=1))
