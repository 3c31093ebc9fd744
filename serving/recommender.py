"""Answers from a bundle's arrays. Evaluation scores with these very functions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from serving.bundle import FEW_BUYERS, Array, Bundle
from serving.history import bought_mask, purchases
from serving.ranker import ranker
from serving.reasons import ALIKE, Kind, reasons
from serving.rerank import POOL, Variety, capped, penalised, weighed
from serving.rules import complements

Lane = Literal["for-you", "buy-again", "discover"]
Component = Literal["popularity", "trend", "repurchase", "als", "ranker"]
Scorer = Callable[[Bundle, Array], Array]  # (n,) rows of customers to scores of all products, (n, P)

LANES: tuple[Lane, ...] = get_args(Lane)
BASELINES: tuple[Component, ...] = ("popularity", "trend", "repurchase")
LEARNED: tuple[Component, ...] = ("als", "ranker")  # they can tell of products without a buyer
BEHIND = 1e-3  # the highest trend where it only ranks what nothing else speaks for
AS_SCORED = Variety()


@dataclass(frozen=True)
class Item:
    """One recommended product, by its row in the bundle, with what speaks for it."""

    product: int
    score: float
    kind: Kind
    because: tuple[int, ...] = ()


def popularity(bundle: Bundle, customers: Array) -> Array:
    """Distinct buyers of all time, the same for everyone, (n, P)."""
    return np.tile(bundle.popularity, (len(customers), 1))


def trend(bundle: Bundle, customers: Array) -> Array:
    """Distinct buyers with recent ones weighing more, the same for everyone, (n, P)."""
    return np.tile(bundle.trend, (len(customers), 1))


def repurchase(bundle: Bundle, customers: Array) -> Array:
    """A customer's own products by decayed frequency; behind them all others by trend, (n, P)."""
    scores = np.tile(_behind(bundle), (len(customers), 1))
    rows, places = purchases(bundle, customers)
    scores[rows, bundle.history_product[places]] += bundle.history_strength[places]
    return scores


def als(bundle: Bundle, customers: Array) -> Array:
    """Preference by the factors of customer and product, times the product's boost, (n, P)."""
    return bundle.user_factors[customers] @ bundle.item_factors.T * bundle.boost


SCORES: dict[str, Scorer] = {
    "popularity": popularity,
    "trend": trend,
    "repurchase": repurchase,
    "als": als,
    "ranker": ranker,
}


def learned(bundle: Bundle) -> tuple[Component, ...]:
    """The components beyond the baselines that a bundle has learned."""
    return LEARNED if len(bundle.ranker) else LEARNED[:1]


def scores(
    bundle: Bundle,
    customers: Array,
    lane: Lane,
    component: str | Scorer | None = None,
    allowed: Array | None = None,
) -> Array:
    """The scores of all products for known customers, -inf where a lane or a rule of the shop excludes one.

    customers: (n,) rows of the bundle. component: what scores, or its name, as it is; the lane's own where
    None, re-ranked by the products' weight where the bundle has a `strength` for that. allowed: (P,) bool,
    the products that may be answered; all where None. Returns (n, P) float32, re-ranked float64. A product
    that nobody has bought yet is no answer of a baseline, and of no component unless it is one of the
    bundle's new ones.
    """
    values = scores_by(component or bundle.manifest["lanes"][lane], bundle, customers)
    if allowed is not None:
        values[:, ~allowed] = -np.inf
    return in_lane(bundle, customers, lane, values, as_scored=component is not None)


def scores_by(component: str | Scorer, bundle: Bundle, customers: Array) -> Array:
    """The scores of a component in any lane, -inf for what it can't tell of or a rule excludes, (n, P)."""
    scorer = component if callable(component) else SCORES[component]
    values = scorer(bundle, customers).astype(np.float32, copy=False)
    unknown = bundle.popularity == 0
    values[:, (unknown & ~bundle.new if component in LEARNED else unknown) | bundle.hidden] = -np.inf
    return values


def in_lane(bundle: Bundle, customers: Array, lane: Lane, values: Array, as_scored: bool) -> Array:
    """The scores, (n, P), changed in place to -inf where the lane excludes a product.

    Re-ranked by the products' weight, unless they are to stay `as_scored`.
    """
    if lane != "for-you":
        bought = bought_mask(bundle, customers)
        values[bought if lane == "discover" else ~bought] = -np.inf
    return values if as_scored or not strength(bundle) else _by_weight(bundle, values)


def strength(bundle: Bundle) -> float:
    """How much the products' weight counts in a bundle's lanes: weight ** strength; 0 is not at all."""
    return float(bundle.manifest.get("strength", 0))


def best(values: Array, n: int) -> Array:
    """The places of the n highest values, best first, ties by place; -inf is never among them."""
    n = min(n, len(values))
    if n == 0:
        return np.empty(0, dtype=np.int64)
    floor = np.partition(values, -n)[-n]
    among = np.flatnonzero((values >= floor) & (values > -np.inf))
    return among[np.argsort(-values[among], kind="stable")][:n]


def recommend(
    bundle: Bundle,
    customer: int | None,
    lane: Lane,
    n: int,
    allowed: Array | None = None,
    variety: Variety = AS_SCORED,
    group: int | None = None,
) -> list[Item]:
    """At most n items for a customer, best first; what trends for a stranger (customer None).

    allowed: (P,) bool, the products that may be answered; all where None. It and the variety are applied
    before the cut, so that n items come back as long as there are as many. group: that of a stranger, a row
    of the bundle; it changes nothing for a customer, of whom more is known.
    """
    if customer is None:
        return trending(bundle, n, allowed, trend_within(bundle, group), variety)
    values = scores(bundle, np.array([customer]), lane, allowed=allowed)[0]
    products = _cut(bundle, values, n, variety)
    return _explained(bundle, customer, products, values[products], bundle.manifest["lanes"][lane])


def trend_within(bundle: Bundle, group: int | None) -> Array:
    """The trend within a group, and behind it all other products by the overall trend, (P,).

    The overall trend where the group is None.
    """
    if group is None:
        return bundle.trend
    buyers = _behind(bundle)
    rows = slice(int(bundle.group_start[group]), int(bundle.group_start[group + 1]))
    buyers[bundle.group_product[rows]] += bundle.group_trend[rows]
    return buyers


def trending(
    bundle: Bundle, n: int, allowed: Array | None, buyers: Array, variety: Variety = AS_SCORED
) -> list[Item]:
    """At most n products by their buyers, (P,); those that nobody bought are left out."""
    values = trend_scores(bundle, buyers)
    if allowed is not None:
        values[~allowed] = -np.inf
    return [Item(int(p), float(values[p]), "trending") for p in _cut(bundle, values, n, variety)]


def trend_scores(bundle: Bundle, buyers: Array) -> Array:
    """The scores of all products for a stranger by their buyers, -inf for what is no answer, (P,) float32."""
    return np.where((buyers > 0) & ~bundle.hidden, buyers, -np.inf).astype(np.float32)


def similar(bundle: Bundle, product: int, n: int, allowed: Array | None = None) -> list[Item]:
    """At most n alternatives: bought by the same customers, or described alike where few have bought it.

    By the cosine of the factors, where it is above zero, among products with buyers enough; of a product
    with fewer by the cosine of the descriptions. Complements are none: who buys the one in place of the
    other doesn't buy both at once. allowed: (P,) bool, the products that may be answered; all where None.
    """
    if bundle.popularity[product] >= FEW_BUYERS:
        cosine = _cosine(bundle.item_factors, product)
        cosine[(cosine <= 0) | (bundle.popularity < FEW_BUYERS)] = -np.inf
        kind: Kind = "taste"
    else:
        cosine, kind = _cosine(bundle.content_factors, product), "alike"
        cosine[cosine < ALIKE] = -np.inf
    cosine[(np.arange(len(cosine)) == product) | bundle.hidden] = -np.inf
    cosine[complements(bundle, product)] = -np.inf
    if allowed is not None:
        cosine[~allowed] = -np.inf
    return [Item(int(p), float(cosine[p]), kind, (product,)) for p in best(cosine, n)]


def _cosine(vectors: Array, row: int) -> Array:
    """The cosine of each vector with one of them, (P,); 0 where one of the two is zero."""
    lengths = np.linalg.norm(vectors, axis=1)
    return np.asarray(vectors @ vectors[row] / np.maximum(lengths * lengths[row], 1e-12))


def _behind(bundle: Bundle) -> Array:
    """The trend made so small that it stands behind all else, (P,)."""
    return np.asarray(bundle.trend * (BEHIND / max(float(bundle.trend.max(initial=0)), 1e-9)))


def _by_weight(bundle: Bundle, values: Array) -> Array:
    """The scores of n customers, re-ranked by the weight of the first POOL of each, (n, P) float64."""
    factor = bundle.weight.astype(np.float64) ** strength(bundle)
    return np.array([weighed(row, best(row, POOL), factor) for row in values]).reshape(values.shape)


def _cut(bundle: Bundle, values: Array, n: int, variety: Variety) -> Array:
    """The places of at most n products, best first, with the variety that is asked for."""
    if variety.shown:
        values = penalised(values, best(values, POOL), variety.shown)
    if variety.per_category is None:
        return best(values, n)
    return capped(best(values, len(values)), bundle.categories, variety.per_category)[:n]


def _explained(bundle: Bundle, customer: int, products: Array, values: Array, component: str) -> list[Item]:
    own = set(bundle.bought(customer).tolist())
    found = reasons(bundle, customer, products, component)
    return [
        Item(p, value, "repurchase", (p,)) if p in own else Item(p, value, *reason)
        for p, value, reason in zip(products.tolist(), values.tolist(), found, strict=True)
    ]
