"""Bundles of large synthetic shops, fitted by the code of the nightly run on random purchases."""

from dataclasses import replace
from typing import Any

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
from serving.bundle.format import Bundle, texts

SEED, RANK, TREES = 7, 64, 130  # TREES: as in the default sweep
PRODUCTS_PER_CUSTOMER, MAX_CUSTOMERS = 5, 40_000  # more customers cost time to fit, not to answer
PURCHASES, DAYS = 60, 500  # PURCHASES: order lines per customer
CLUSTERS, CLUSTERS_PER_CUSTOMER, SKEW = 60, 3, 4
CATEGORIES, BRANDS, RULES = 200, 1000, 10


def bundle(products: int) -> Bundle:
    """Returns a bundle of rank 64; the ranker answers lane for-you, ALS answers discover.

    There are a fifth as many customers as products, 40,000 at most. Each buys 60 times from three clusters of
    products, mostly their most popular ones. Association rules join the products that share most baskets.
    """
    rng = np.random.default_rng(SEED)
    chosen = ModelSettings(
        als=AlsSettings(rank=RANK, regularisation=10.0, iterations=5),
        ranker=RankerSettings(windows=1, customers=1000, trees=TREES),
        half_lives=HalfLives(trend=28.0, repurchase=120.0),
        lanes={"for-you": "ranker", "buy-again": "repurchase", "discover": "als"},
    )
    shop = _shop(rng, products)
    vectors = content.no_descriptions(products)
    fitted = fit_bundle(
        shop, _catalogue(rng, products), chosen, no_rules(products), "implicit", content_vectors=vectors
    )
    return replace(fitted, **_rules(fitted))


def _shop(rng: np.random.Generator, products: int) -> Interactions:
    customers = min(products // PRODUCTS_PER_CUSTOMER, MAX_CUSTOMERS)
    n, each = customers * PURCHASES, products // CLUSTERS
    customer = np.repeat(np.arange(customers), PURCHASES)
    liked = rng.integers(0, CLUSTERS, (customers, CLUSTERS_PER_CUSTOMER))
    cluster = liked[customer, rng.integers(0, CLUSTERS_PER_CUSTOMER, n)]
    return Interactions(
        texts([f"{number:09}" for number in range(customers)]),
        texts([f"{number:09}" for number in range(products)]),
        customer,
        cluster * each + (each * rng.random(n) ** SKEW).astype(np.int64),
        rng.integers(0, DAYS, n),
        np.ones(n),
        np.zeros(n),
        np.ones(n, np.int64),
    )


def _catalogue(rng: np.random.Generator, products: int) -> pa.Table:
    return pa.table(
        {
            c.NAME: [f"Product number {number}" for number in range(products)],
            c.CATEGORY: [f"Category {number}" for number in rng.integers(0, CATEGORIES, products)],
            c.BRAND: [f"Brand {number}" for number in rng.integers(0, BRANDS, products)],
            c.PRICE: rng.lognormal(3, 1, products).round(2),
            c.IN_STOCK: rng.random(products) < 0.9,
        }
    )


def _rules(fitted: Bundle) -> dict[str, Any]:
    """Returns the arrays of rules from each product to those that share most baskets with it."""
    order = np.argsort(-fitted.basket_cosine, axis=1, kind="stable")[:, :RULES]
    confidence = np.take_along_axis(fitted.basket_cosine, order, 1)
    is_rule = confidence > 0
    size = int(is_rule.sum())
    return {
        "rule_start": np.r_[0, np.cumsum(is_rule.sum(axis=1))],
        "rule_consequent": np.take_along_axis(fitted.basket_neighbours, order, 1)[is_rule],
        "rule_confidence": confidence[is_rule],
        "rule_lift": np.full(size, 2, np.float32),
        "rule_support": np.full(size, 1e-4, np.float32),
        "rule_count": np.full(size, 20),
        "rule_complement": np.ones(size, bool),
    }
