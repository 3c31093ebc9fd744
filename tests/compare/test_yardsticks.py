"""Published models that the champion is compared with."""

import numpy as np
import pytest
from shops import catalogue, interactions_of, random_shop

from pipelines.compare import yardsticks
from pipelines.compare.models import evaluate_models
from pipelines.evaluate import NDCG, summary
from pipelines.gate import conditions
from pipelines.train import association_rules
from pipelines.train.als import AlsSettings
from pipelines.train.bundle import fit_bundle
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.recommend.lanes import LANES

pytestmark = pytest.mark.fast

CHOSEN = ModelSettings(
    als=AlsSettings(rank=4, iterations=2),
    half_lives=HalfLives(trend=7, repurchase=30),
    lanes=dict.fromkeys(LANES, "als"),
)


def fitted(shop):
    products = catalogue([product.decode() for product in shop.products])
    return fit_bundle(shop, products, CHOSEN, association_rules.no_rules(products.num_rows), "implicit")


def test_ease_is_a_ridge_regression_of_each_product_on_the_others():
    bundle = fitted(random_shop(3).until(50))
    bought = np.zeros((len(bundle.customers), len(bundle.products)))
    for row in range(len(bundle.customers)):
        bought[row, bundle.bought(row)] = 1
    ease_scores = yardsticks.ease(bundle)(bundle, np.arange(len(bundle.customers)))
    for product in range(bought.shape[1]):
        others = np.delete(bought, product, axis=1)
        gram = others.T @ others + yardsticks.PENALTY * np.eye(others.shape[1])
        weights = np.linalg.solve(gram, others.T @ bought[:, product])
        assert ease_scores[:, product] == pytest.approx(others @ weights, abs=1e-6)


def test_popularity_28d_counts_buyers_of_the_last_28_days():
    rows = [("anna", "tea", 40, 1, 0), ("boris", "tea", 39, 1, 0), ("vera", "tea", 12, 1, 0)]
    bundle = fitted(interactions_of([*rows, ("anna", "cups", 13, 1, 0), ("anna", "pot", 12, 1, 0)]).until(40))
    assert bundle.products.tolist() == [b"cups", b"pot", b"tea"]
    assert yardsticks.popularity_lately(bundle, np.array([0, 1])).tolist() == [[1, 0, 2], [1, 0, 2]]


def test_plain_als_ignores_the_age_of_purchases():
    shop = random_shop(5, rows=2000, customers=60)
    products = catalogue([product.decode() for product in shop.products])
    old = CHOSEN.model_copy(update={"als": CHOSEN.als.model_copy(update={"half_life_days": 1.0})})
    measured = [
        summary(evaluate_models(shop.until(40), shop.bought(40, 50), products, chosen, "implicit"))
        for chosen in (CHOSEN, old)
    ]
    plain, champion = (
        [means[name]["for-you"][NDCG] for means in measured]
        for name in (yardsticks.PLAIN, conditions.CHAMPION)
    )
    assert plain[0] == plain[1]
    assert champion[0] != champion[1]
