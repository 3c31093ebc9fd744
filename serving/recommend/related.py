"""Recommends products related to a product or a cart: alternatives and complements."""

import numpy as np

from serving.bundle.format import MIN_BUYERS, Array, Bundle
from serving.bundle.highest import top_n
from serving.recommend.association_rules import complements, rules_for_cart
from serving.recommend.reasons import MIN_DESCRIPTION_COSINE, Kind
from serving.recommend.recommender import Item


def similar(bundle: Bundle, product: int, n: int, allowed: Array | None = None) -> list[Item]:
    """Returns at most n alternatives to a product, by falling cosine.

    - With MIN_BUYERS or more, a product is compared by its item factors with products that have as many.
    - With fewer, it is compared by its description.
    - Complements are left out: customers buy them with the product, not in its place.

    product: a row of the bundle. allowed: (P,) bool, the products that may be recommended; None allows all.
    """
    if bundle.popularity[product] >= MIN_BUYERS:
        cosine = _cosine(bundle.item_factors, bundle.item_norms, product)
        cosine[(cosine <= 0) | (bundle.popularity < MIN_BUYERS)] = -np.inf
        kind: Kind = "taste"
    else:
        norms = np.linalg.norm(bundle.content_factors, axis=1)
        cosine, kind = _cosine(bundle.content_factors, norms, product), "alike"
        cosine[cosine < MIN_DESCRIPTION_COSINE] = -np.inf
    cosine[(np.arange(len(cosine)) == product) | bundle.hidden] = -np.inf
    cosine[complements(bundle, product)] = -np.inf
    if allowed is not None:
        cosine[~allowed] = -np.inf
    return [Item(int(row), float(cosine[row]), kind, (product,)) for row in top_n(cosine, n)]


def goes_with(bundle: Bundle, cart: list[int], n: int, allowed: Array | None = None) -> list[Item]:
    """Returns at most n complements of a cart, by falling confidence of their association rule.

    cart: rows of the bundle. allowed: as in `similar`.
    """
    return [
        Item(rule.consequent, rule.confidence, "bought-together", rule.antecedents, rule)
        for rule in rules_for_cart(bundle, cart, n, allowed)
    ]


def _cosine(vectors: Array, norms: Array, row: int) -> Array:
    """Returns the cosine of each vector with the vector of a row, (P,); 0 where either vector is zero.

    vectors: (P, k). norms: (P,), their Euclidean norms.

    >>> _cosine(np.array([[2.0, 0.0], [3.0, 4.0], [0.0, 0.0]]), np.array([2.0, 5.0, 0.0]), 0).tolist()
    [1.0, 0.6, 0.0]
    """
    return np.asarray(vectors @ vectors[row] / np.maximum(norms * norms[row], 1e-12))
