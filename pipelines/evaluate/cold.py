"""Item cold start: how often products without a purchase at the cut are recommended to their later buyers.

A sample of the products that sell after the cut is hidden: the model is fitted with their descriptions but
without their purchases. Measured are customers known at the cut, on their later purchases of these products.
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
    """Shares of the later purchases of hidden products that were among the first K recommendations."""

    purchases: float  # number of these purchases
    among_hidden: float  # of a list of hidden products only
    among_all: float  # of a list of all products that the customer has not bought
    chance_among_hidden: float  # the same for random lists
    chance_among_all: float
    shown: float  # share of hidden products in the lists of all products


def draw_products(truth: Interactions, share: float, seed: int) -> Array:
    """Returns a random sample of the products sold in a window, (h,) int64 sorted rows."""
    sold = np.unique(truth.product)
    return np.sort(np.random.default_rng(seed).choice(sold, round(share * len(sold)), replace=False))


def without_products(known: Interactions, products: Array) -> Interactions:
    """Returns the interactions without those of some products, (h,) rows; the ids stay the same."""
    return known.where(~np.isin(known.product, products))


def first_purchases(truth: Interactions, before: Interactions) -> Interactions:
    """Returns the purchases of products that their customer had not bought before."""
    width = len(truth.products)
    customer = np.searchsorted(truth.customers, before.customers)[before.customer]
    bought = np.isin(truth.customer * width + truth.product, customer * width + before.product)
    return truth.where(~bought)


def hit_rates(
    bundle: Bundle, truth: Interactions, products: Array, baseline: Array | None = None
) -> HitRates:
    """Returns the hit rates of component `als`, or of a baseline, on hidden products, (h,) rows.

    truth: the purchases after the cut. baseline: (P,) float scores, the same for every customer.
    """
    customer, product = _pairs(bundle, truth, products)
    buyers, row = np.unique(customer, return_inverse=True)
    values = scores(bundle, buyers, "discover", "als")
    if baseline is not None:
        values = np.where(values > -np.inf, baseline, -np.inf)
    is_hidden = np.isin(np.arange(len(bundle.products)), products)
    by_all, by_hidden = _is_in_list(values), _is_in_list(np.where(is_hidden, values, -np.inf))
    allowed = np.count_nonzero(values > -np.inf, axis=1)
    return HitRates(
        purchases=len(product),
        among_hidden=float(by_hidden[row, product].mean()),
        among_all=float(by_all[row, product].mean()),
        chance_among_hidden=K / len(products),
        chance_among_all=float(np.mean(K / allowed[row])),
        shown=float(by_all[:, is_hidden].sum() / by_all.sum()),
    )


def popularity_within_category(bundle: Bundle) -> Array:
    """Returns each product's buyers, (P,) float64; for a product without any, the mean of its category."""
    _, category = np.unique(bundle.category, return_inverse=True)
    sold = bundle.popularity > 0
    total = np.bincount(category, bundle.popularity)
    count = np.maximum(np.bincount(category, sold), 1)
    return np.where(sold, bundle.popularity, (total / count)[category])


def mean(samples: list[HitRates]) -> HitRates:
    """Returns the mean of each measure over several samples of hidden products."""
    return HitRates(
        **{name: float(np.mean([vars(sample)[name] for sample in samples])) for name in vars(samples[0])}
    )


def _pairs(bundle: Bundle, truth: Interactions, products: Array) -> tuple[Array, Array]:
    """Returns the distinct pairs of a known customer (row in the bundle) and a bought product, (m,) each."""
    row, known = locate(bundle.customers, truth.customers)
    wanted = known[truth.customer] & np.isin(truth.product, products)
    customer, product = np.unique(np.c_[row[truth.customer], truth.product][wanted], axis=0).T
    return customer, product


def _is_in_list(values: Array) -> Array:
    """Returns whether each product is among the K highest of its row, (n, P) bool."""
    is_in_list = np.zeros(values.shape, dtype=bool)
    for row, scores_of_row in enumerate(values):
        is_in_list[row, top_n(scores_of_row, K)] = True
    return is_in_list
