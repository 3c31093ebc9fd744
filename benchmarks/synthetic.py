"""Bundles of large shops, learned by the night's own code from purchases that are drawn."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.prepare.interactions import Interactions
from pipelines.train import content
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.ranker import RankerSettings
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.bundle.format import Array, Bundle, texts

SEED, RANK, TREES = 7, 64, 130  # as many trees as the product's own sweep fits
PRODUCTS_A_CUSTOMER, MOST_CUSTOMERS = 5, 40_000  # more would change no answer's cost, but learning's
PURCHASES, DAYS = 60, 500  # lines of a customer; days
SORTS, SORTS_A_CUSTOMER, SKEW = 60, 3, 4
CATEGORIES, BRANDS, RULES = 200, 1000, 10


def bundle(products: int) -> Bundle:
    """A bundle of rank 64 whose lane for-you is answered by the second stage, and discover by ALS.

    A fifth as many customers, 40,000 at most, buy 60 times each, of three sorts of products, mostly what
    leads a sort. Each product goes with those that share most baskets with it.
    """
    rng = np.random.default_rng(SEED)
    chosen = ModelSettings(
        als=AlsSettings(rank=RANK, regularisation=10.0, iterations=5),
        ranker=RankerSettings(windows=1, customers=1000, trees=TREES),
        half_lives=HalfLives(trend=28.0, repurchase=120.0),
        lanes={"for-you": "ranker", "buy-again": "repurchase", "discover": "als"},
    )
    shop = _shop(rng, products)
    described = content.no_descriptions(products)
    learned = fit_bundle(
        shop, _catalogue(rng, products), chosen, no_rules(products), "implicit", content_vectors=described
    )
    return replace(learned, **_rules(learned))


def _shop(rng: np.random.Generator, products: int) -> Interactions:
    customers = min(products // PRODUCTS_A_CUSTOMER, MOST_CUSTOMERS)
    n, each = customers * PURCHASES, products // SORTS
    customer = np.repeat(np.arange(customers), PURCHASES)
    liked = rng.integers(0, SORTS, (customers, SORTS_A_CUSTOMER))
    sort = liked[customer, rng.integers(0, SORTS_A_CUSTOMER, n)]
    return Interactions(
        texts([f"{one:09}" for one in range(customers)]),
        texts([f"{one:09}" for one in range(products)]),
        customer,
        sort * each + (each * rng.random(n) ** SKEW).astype(np.int64),
        rng.integers(0, DAYS, n),
        np.ones(n),
        np.zeros(n),
        np.ones(n, np.int64),
    )


def _catalogue(rng: np.random.Generator, products: int) -> pa.Table:
    return pa.table(
        {
            c.NAME: [f"Product number {one}" for one in range(products)],
            c.CATEGORY: [f"Category {one}" for one in rng.integers(0, CATEGORIES, products)],
            c.BRAND: [f"Brand {one}" for one in rng.integers(0, BRANDS, products)],
            c.PRICE: rng.lognormal(3, 1, products).round(2),
            c.IN_STOCK: rng.random(products) < 0.9,
        }
    )


def _rules(learned: Bundle) -> dict[str, Array]:
    """Rules from each product to those that share most baskets with it."""
    order = np.argsort(-learned.basket_cosine, axis=1, kind="stable")[:, :RULES]
    confidence = np.take_along_axis(learned.basket_cosine, order, 1)
    is_rule = confidence > 0
    size = int(is_rule.sum())
    return {
        "rule_start": np.r_[0, np.cumsum(is_rule.sum(axis=1))],
        "rule_consequent": np.take_along_axis(learned.basket_neighbours, order, 1)[is_rule],
        "rule_confidence": confidence[is_rule],
        "rule_lift": np.full(size, 2, np.float32),
        "rule_support": np.full(size, 1e-4, np.float32),
        "rule_count": np.full(size, 20),
        "rule_complement": np.ones(size, bool),
    }
