"""Answers from a bundle's arrays. Evaluation scores with these very functions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from serving.bundle import Array, Bundle
from serving.rerank import POOL, Variety, capped, penalised, weighed

Lane = Literal["for-you", "buy-again", "discover"]
Component = Literal["popularity", "trend", "repurchase", "als"]
Kind = Literal["repurchase", "taste", "bought-together", "trending"]

LANES: tuple[Lane, ...] = get_args(Lane)
BASELINES: tuple[Component, ...] = ("popularity", "trend", "repurchase")
REASON_PRODUCTS = 2
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
    scores = trend(bundle, customers) * (1e-3 / max(float(bundle.trend.max(initial=0)), 1e-9))
    rows, places = _history(bundle, customers)
    scores[rows, bundle.history_product[places]] += bundle.history_strength[places]
    return scores


def als(bundle: Bundle, customers: Array) -> Array:
    """Preference by the factors of customer and product, (n, P)."""
    return bundle.user_factors[customers] @ bundle.item_factors.T


SCORES: dict[str, Callable[[Bundle, Array], Array]] = {
    "popularity": popularity,
    "trend": trend,
    "repurchase": repurchase,
    "als": als,
}


def scores(
    bundle: Bundle,
    customers: Array,
    lane: Lane,
    component: str | None = None,
    allowed: Array | None = None,
) -> Array:
    """The scores of all products for known customers, -inf where a lane or a rule of the shop excludes one.

    customers: (n,) rows of the bundle. component: what scores, as it is; the lane's own where None, re-ranked
    by the products' weight where the bundle has a `strength` for that. allowed: (P,) bool, the products that
    may be answered; all where None. Returns (n, P) float32, re-ranked float64. A product that nobody has
    bought yet is no answer of any component.
    """
    values = SCORES[component or bundle.manifest["lanes"][lane]](bundle, customers).astype(
        np.float32, copy=False
    )
    values[:, (bundle.popularity == 0) | bundle.hidden] = -np.inf
    if allowed is not None:
        values[:, ~allowed] = -np.inf
    if lane != "for-you":
        bought = bought_mask(bundle, customers)
        values[bought if lane == "discover" else ~bought] = -np.inf
    return values if component or not strength(bundle) else _by_weight(bundle, values)


def strength(bundle: Bundle) -> float:
    """How much the products' weight counts in a bundle's lanes: weight ** strength; 0 is not at all."""
    return float(bundle.manifest.get("strength", 0))


def bought_mask(bundle: Bundle, customers: Array) -> Array:
    """True where a customer has bought a product, (n, P) bool."""
    mask = np.zeros((len(customers), len(bundle.products)), dtype=bool)
    rows, places = _history(bundle, customers)
    mask[rows, bundle.history_product[places]] = True
    return mask


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
) -> list[Item]:
    """At most n items for a customer, best first; what trends for a stranger (customer None).

    allowed: (P,) bool, the products that may be answered; all where None. It and the variety are applied
    before the cut, so that n items come back as long as there are as many.
    """
    if customer is None:
        return trending(bundle, n, allowed, bundle.trend, variety)
    values = scores(bundle, np.array([customer]), lane, allowed=allowed)[0]
    products = _cut(bundle, values, n, variety)
    return _explained(bundle, customer, products, values[products], bundle.manifest["lanes"][lane])


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
    """At most n alternatives by the cosine of their factors, where it is above zero.

    allowed: (P,) bool, the products that may be answered; all where None.
    """
    lengths = np.linalg.norm(bundle.item_factors, axis=1)
    if lengths[product] == 0:
        return []
    cosine = (
        bundle.item_factors @ bundle.item_factors[product] / np.maximum(lengths * lengths[product], 1e-12)
    )
    cosine[(cosine <= 0) | (np.arange(len(cosine)) == product) | bundle.hidden] = -np.inf
    if allowed is not None:
        cosine[~allowed] = -np.inf
    return [Item(int(p), float(cosine[p]), "taste", (product,)) for p in best(cosine, n)]


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
    bought = bundle.bought(customer)
    own = set(bought.tolist())
    reasons = _speaking_for(bundle, products, bought) if component == "als" else [()] * len(products)
    other: Kind = "taste" if component == "als" else "trending"
    return [
        Item(p, value, "repurchase", (p,)) if p in own else Item(p, value, other, because)
        for p, value, because in zip(products.tolist(), values.tolist(), reasons, strict=True)
    ]


def _speaking_for(bundle: Bundle, products: Array, bought: Array) -> list[tuple[int, ...]]:
    """For each product, those of the bought ones whose factors point its way the most."""
    pulls = bundle.item_factors[products] @ bundle.item_factors[bought].T
    most = np.argsort(-pulls, axis=1, kind="stable")[:, :REASON_PRODUCTS]
    return [tuple(bought[row[pull[row] > 0]].tolist()) for row, pull in zip(most, pulls, strict=True)]


def _history(bundle: Bundle, customers: Array) -> tuple[Array, Array]:
    """For each history row of the customers: its row among them, and its place in the history."""
    starts, ends = bundle.history_start[customers], bundle.history_start[customers + 1]
    counts = ends - starts
    rows = np.repeat(np.arange(len(customers)), counts)
    offsets = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, np.repeat(starts, counts) + offsets
