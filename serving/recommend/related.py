"""What belongs to a product or a cart: alternatives, and what goes with it."""

import numpy as np

from serving.bundle.format import MIN_BUYERS, Array, Bundle
from serving.bundle.highest import top_n
from serving.recommend.association_rules import complements, rules_for_cart
from serving.recommend.reasons import MIN_DESCRIPTION_COSINE, Kind
from serving.recommend.recommender import Item


def similar(bundle: Bundle, product: int, n: int, allowed: Array | None = None) -> list[Item]:
    """At most n alternatives: bought by the same customers, or described alike where few have bought it.

    By the cosine of the factors, where it is above zero, among products with buyers enough; of a product
    with fewer by the cosine of the descriptions. Complements are none: who buys the one in place of the
    other doesn't buy both at once. allowed: (P,) bool, the products that may be answered; all where None.
    """
    if bundle.popularity[product] >= MIN_BUYERS:
        cosine = _cosine(bundle.item_factors, bundle.item_norms, product)
        cosine[(cosine <= 0) | (bundle.popularity < MIN_BUYERS)] = -np.inf
        kind: Kind = "taste"
    else:
        lengths = np.linalg.norm(bundle.content_factors, axis=1)
        cosine, kind = _cosine(bundle.content_factors, lengths, product), "alike"
        cosine[cosine < MIN_DESCRIPTION_COSINE] = -np.inf
    cosine[(np.arange(len(cosine)) == product) | bundle.hidden] = -np.inf
    cosine[complements(bundle, product)] = -np.inf
    if allowed is not None:
        cosine[~allowed] = -np.inf
    return [Item(int(p), float(cosine[p]), kind, (product,)) for p in top_n(cosine, n)]


def goes_with(bundle: Bundle, cart: list[int], n: int, allowed: Array | None = None) -> list[Item]:
    """At most n products that go with those of a cart, by the confidence of the rule that says so.

    cart: rows of the bundle. allowed: as in `recommend`.
    """
    return [
        Item(rule.consequent, rule.confidence, "bought-together", rule.antecedents, rule)
        for rule in rules_for_cart(bundle, cart, n, allowed)
    ]


def _cosine(vectors: Array, lengths: Array, row: int) -> Array:
    """The cosine of each vector with one of them, (P,); 0 where one of the two is zero."""
    return np.asarray(vectors @ vectors[row] / np.maximum(lengths * lengths[row], 1e-12))
