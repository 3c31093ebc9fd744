"""Answers from a bundle's arrays. Evaluation scores with these very functions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from serving.bundle import Array, Bundle
from serving.history import bought_mask, purchases
from serving.ranker import ranker

Lane = Literal["for-you", "buy-again", "discover"]
Component = Literal["popularity", "trend", "repurchase", "als", "ranker"]
Kind = Literal["repurchase", "taste", "bought-together", "trending"]

LANES: tuple[Lane, ...] = get_args(Lane)
BASELINES: tuple[Component, ...] = ("popularity", "trend", "repurchase")
REASON_PRODUCTS = 2


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
    rows, places = purchases(bundle, customers)
    scores[rows, bundle.history_product[places]] += bundle.history_strength[places]
    return scores


def als(bundle: Bundle, customers: Array) -> Array:
    """Preference by the factors of customer and product, times the product's boost, (n, P)."""
    return bundle.user_factors[customers] @ bundle.item_factors.T * bundle.boost


SCORES: dict[str, Callable[[Bundle, Array], Array]] = {
    "popularity": popularity,
    "trend": trend,
    "repurchase": repurchase,
    "als": als,
    "ranker": ranker,
}


def learned(bundle: Bundle) -> tuple[Component, ...]:
    """The components beyond the baselines that a bundle has learned."""
    return ("als", "ranker") if len(bundle.ranker) else ("als",)


def scores(bundle: Bundle, customers: Array, lane: Lane, component: str | None = None) -> Array:
    """The scores of all products for known customers, -inf where a lane excludes one.

    customers: (n,) rows of the bundle. component: what scores; the lane's own where None.
    Returns (n, P) float32. A product that nobody has bought yet is no answer of any component.
    """
    values = SCORES[component or bundle.manifest["lanes"][lane]](bundle, customers).astype(
        np.float32, copy=False
    )
    values[:, bundle.popularity == 0] = -np.inf
    if lane != "for-you":
        bought = bought_mask(bundle, customers)
        values[bought if lane == "discover" else ~bought] = -np.inf
    return values


def best(values: Array, n: int) -> Array:
    """The places of the n highest values, best first, ties by place; -inf is never among them."""
    n = min(n, len(values))
    if n == 0:
        return np.empty(0, dtype=np.int64)
    floor = np.partition(values, -n)[-n]
    among = np.flatnonzero((values >= floor) & (values > -np.inf))
    return among[np.argsort(-values[among], kind="stable")][:n]


def recommend(
    bundle: Bundle, customer: int | None, lane: Lane, n: int, allowed: Array | None = None
) -> list[Item]:
    """At most n items for a customer, best first; what trends for a stranger (customer None).

    allowed: (P,) bool, the products that may be answered; all where None. It is applied before the
    cut, so that n items come back as long as there are as many.
    """
    if customer is None:
        return trending(bundle, n, allowed, bundle.trend)
    values = scores(bundle, np.array([customer]), lane)[0]
    if allowed is not None:
        values[~allowed] = -np.inf
    products = best(values, n)
    return _explained(bundle, customer, products, values[products], bundle.manifest["lanes"][lane])


def trending(bundle: Bundle, n: int, allowed: Array | None, strength: Array) -> list[Item]:
    """At most n products by a strength of theirs, (P,); those nobody bought are left out."""
    values = np.where(strength > 0, strength, -np.inf).astype(np.float32)
    if allowed is not None:
        values[~allowed] = -np.inf
    return [Item(int(p), float(values[p]), "trending") for p in best(values, n)]


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
    cosine[(cosine <= 0) | (np.arange(len(cosine)) == product)] = -np.inf
    if allowed is not None:
        cosine[~allowed] = -np.inf
    return [Item(int(p), float(cosine[p]), "taste", (product,)) for p in best(cosine, n)]


def _explained(bundle: Bundle, customer: int, products: Array, values: Array, component: str) -> list[Item]:
    bought = bundle.bought(customer)
    own = set(bought.tolist())
    knows_taste = component in ("als", "ranker")
    reasons = _speaking_for(bundle, products, bought) if knows_taste else [()] * len(products)
    return [
        Item(p, value, "repurchase", (p,)) if p in own else Item(p, value, _kind(component, because), because)
        for p, value, because in zip(products.tolist(), values.tolist(), reasons, strict=True)
    ]


def _kind(component: str, because: tuple[int, ...]) -> Kind:
    """Why a product that is new to the customer is answered."""
    return "taste" if component == "als" or because else "trending"


def _speaking_for(bundle: Bundle, products: Array, bought: Array) -> list[tuple[int, ...]]:
    """For each product, those of the bought ones whose factors point its way the most."""
    pulls = bundle.item_factors[products] @ bundle.item_factors[bought].T
    most = np.argsort(-pulls, axis=1, kind="stable")[:, :REASON_PRODUCTS]
    return [tuple(bought[row[pull[row] > 0]].tolist()) for row, pull in zip(most, pulls, strict=True)]
