"""How often products that nobody could have bought before the cut are found by those who buy them.

Of the products that sell after the cut some are hidden: what was learned knows their description and
none of their purchases. Judged are customers known at the cut, by their purchases of these after it.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import locate
from serving.bundle.format import Array, Bundle
from serving.bundle.highest import top_n
from serving.recommend.recommender import scores

K = 10


@dataclass(frozen=True)
class HitRates:
    """Of the purchases of hidden products, which share stood among the first K answers."""

    purchases: float
    among_hidden: float  # where hidden products alone may be answered
    among_all: float  # where all may be that the customer hasn't bought
    chance_among_hidden: float
    chance_among_all: float
    shown: float  # which share of the first K of all are hidden products


def draw_products(truth: Interactions, share: float, seed: int) -> Array:
    """A seeded draw of the products that were sold in a window, (h,) rows, ascending."""
    sold = np.unique(truth.product)
    return np.sort(np.random.default_rng(seed).choice(sold, round(share * len(sold)), replace=False))


def without_products(shop: Interactions, products: Array) -> Interactions:
    """All interactions but those of some products, over the same ids."""
    return shop.where(~np.isin(shop.product, products))


def first_purchases(truth: Interactions, before: Interactions) -> Interactions:
    """The purchases by customers who had not bought the product before."""
    width = len(truth.products)
    customer = np.searchsorted(truth.customers, before.customers)[before.customer]
    bought = np.isin(truth.customer * width + truth.product, customer * width + before.product)
    return truth.where(~bought)


def hit_rates(
    bundle: Bundle, truth: Interactions, products: Array, baseline: Array | None = None
) -> HitRates:
    """How often hidden products, (h,) rows, are found by component `als`, or by a baseline.

    truth: the purchases after the cut. baseline: (P,) scores, the same for everyone.
    """
    customer, product = _pairs(bundle, truth, products)
    judged, row = np.unique(customer, return_inverse=True)
    everything = scores(bundle, judged, "discover", "als")
    if baseline is not None:
        everything = np.where(everything > -np.inf, baseline, -np.inf)
    is_hidden = np.isin(np.arange(len(bundle.products)), products)
    by_all, by_hidden = _first(everything), _first(np.where(is_hidden, everything, -np.inf))
    answerable = np.count_nonzero(everything > -np.inf, axis=1)
    return HitRates(
        purchases=len(product),
        among_hidden=float(by_hidden[row, product].mean()),
        among_all=float(by_all[row, product].mean()),
        chance_among_hidden=K / len(products),
        chance_among_all=float(np.mean(K / answerable[row])),
        shown=float(by_all[:, is_hidden].sum() / by_all.sum()),
    )


def popularity_within_category(bundle: Bundle) -> Array:
    """Distinct buyers of each product, and where it has none the mean of its category's others, (P,)."""
    _, category = np.unique(bundle.category, return_inverse=True)
    sold = bundle.popularity > 0
    total = np.bincount(category, bundle.popularity)
    count = np.maximum(np.bincount(category, sold), 1)
    return np.where(sold, bundle.popularity, (total / count)[category])


def mean(several: list[HitRates]) -> HitRates:
    """The mean of each measure over several draws."""
    return HitRates(
        **{name: float(np.mean([vars(one)[name] for one in several])) for name in vars(several[0])}
    )


def _pairs(bundle: Bundle, truth: Interactions, products: Array) -> tuple[Array, Array]:
    """The distinct pairs of a known customer's row and one of the products, (m,) each."""
    at, known = locate(bundle.customers, truth.customers)
    asked = known[truth.customer] & np.isin(truth.product, products)
    customer, product = np.unique(np.c_[at[truth.customer], truth.product][asked], axis=0).T
    return customer, product


def _first(values: Array) -> Array:
    """Whether a product is among the first K of each row, (n, P) bool."""
    first = np.zeros(values.shape, dtype=bool)
    for row, one in enumerate(values):
        first[row, top_n(one, K)] = True
    return first
