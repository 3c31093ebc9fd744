"""Random bundles for properties that hold for any bundle: with every component, regions, rules and ties."""

from dataclasses import replace

import bundles
import numpy as np
import xgboost as xgb

from serving.bundle import traits
from serving.bundle.format import Array, Bundle, texts

RANK, NEIGHBOURS, DAYS = 4, 6, (7, 28)
LANES = {"for-you": "ranker", "buy-again": "repurchase", "discover": "als"}


def draw(rng: np.random.Generator, products: int = 300, customers: int = 12, **manifest: object) -> Bundle:
    """Returns a random bundle.

    A tenth of the products have no buyer, half of those are new, and a few products are hidden.
    """
    popularity = np.where(rng.random(products) < 0.1, 0, rng.integers(1, 60, products)).astype(np.float32)
    history = [np.sort(rng.choice(products, rng.integers(1, 40), replace=False)) for _ in range(customers)]
    starts = np.r_[0, np.cumsum([len(own) for own in history])]
    size = int(starts[-1])
    group = np.sort(rng.choice(products, 20, replace=False)).astype(np.int32)
    return replace(
        bundles.small(),
        customers=texts([f"{customer:05}" for customer in range(customers)]),
        products=texts([f"{product:05}" for product in range(products)]),
        name=texts([f"Product {product}" for product in range(products)]),
        category=texts([f"category {code}" for code in rng.integers(0, 12, products)]),
        brand=texts([f"brand {code}" for code in rng.integers(0, 30, products)]),
        price=np.where(rng.random(products) < 0.1, np.nan, rng.lognormal(3, 1, products)),
        in_stock=rng.random(products) < 0.8,
        weight=_floats(rng.lognormal(0, 0.5, products)),
        hidden=rng.random(products) < 0.05,
        popularity=popularity,
        trend=_floats(popularity * rng.integers(0, 3, products) / 2),
        new=(popularity == 0) & (rng.random(products) < 0.5),
        recent=rng.integers(0, 5, (len(DAYS), products)).astype(np.int32),
        groups=texts(["France"]),
        group_start=np.array([0, len(group)]),
        group_product=group,
        group_trend=_floats(rng.random(len(group))),
        history_start=starts,
        history_product=np.concatenate(history).astype(np.int32),
        history_orders=np.ones(size, np.int32),
        history_last=np.full(size, 20_000, np.int32),
        history_strength=_floats(rng.integers(1, 4, size) / 2),
        history_weight=_floats(rng.random(size) * 10),
        user_factors=_floats(rng.normal(size=(customers, RANK))),
        item_factors=_floats(rng.normal(size=(products, RANK)) * rng.pareto(2, (products, 1))),
        content_factors=_floats(rng.normal(size=(products, RANK)) / RANK),
        boost=_floats(rng.lognormal(0, 0.3, products)),
        history_traits=_floats(rng.random((size, len(traits.PURCHASE)))),
        customer_traits=_floats(rng.random((customers, len(traits.CUSTOMER)))),
        product_traits=_floats(rng.random((products, len(traits.PRODUCT)))),
        **_neighbours(rng, products, "neighbours", "neighbour_cosine"),
        **_neighbours(rng, products, "basket_neighbours", "basket_cosine"),
        leading=rng.choice(products, 10, replace=False).astype(np.int32),
        ranker=_model(rng),
        **_rules(rng, products),
        manifest=bundles.small().manifest | {"lanes": LANES, "recent_days": list(DAYS)} | manifest,
    )


def _neighbours(rng: np.random.Generator, products: int, neighbours: str, cosine: str) -> dict[str, Array]:
    shape = (products, NEIGHBOURS)
    return {
        neighbours: rng.integers(0, products, shape).astype(np.int32),
        cosine: _floats(np.where(rng.random(shape) < 0.3, 0, rng.integers(1, 5, shape) / 5)),
    }


def _rules(rng: np.random.Generator, products: int, size: int = 500) -> dict[str, Array]:
    antecedent = np.sort(rng.integers(0, products, size))
    floats = {f"rule_{name}": _floats(rng.random(size)) for name in ("confidence", "lift", "support")}
    no_triples = {f"triple_{name}": np.empty(0, np.float32) for name in ("confidence", "lift", "support")}
    return (
        floats
        | no_triples
        | {
            "rule_start": np.searchsorted(antecedent, np.arange(products + 1)),
            "rule_consequent": rng.integers(0, products, size).astype(np.int32),
            "rule_count": rng.integers(10, 100, size),
            "rule_complement": rng.random(size) < 0.8,
            "triple_key": np.empty(0, np.int64),
            "triple_consequent": np.empty(0, np.int32),
            "triple_count": np.empty(0, np.int64),
        }
    )


def _model(rng: np.random.Generator) -> Array:
    features = rng.random((500, len(traits.FEATURE_NAMES)))
    bought = features[:, -5:].sum(axis=1) + rng.random(500) > 3
    settings = {"objective": "binary:logistic", "base_score": 0.5, "nthread": 1, "max_depth": 4}
    model = xgb.train(settings, xgb.DMatrix(features, bought), 10)
    return np.frombuffer(bytes(model.save_raw("json")), np.uint8)


def _floats(values: Array) -> Array:
    return values.astype(np.float32)
