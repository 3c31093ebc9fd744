"""A bundle is measured on the purchases since it was fitted."""

import numpy as np
import pytest
from shops import catalogue, interactions_of

from pipelines.evaluate import NDCG, backtest, summary
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.recommend.lanes import LANES

pytestmark = pytest.mark.fast

CHOSEN = ModelSettings(
    als=AlsSettings(rank=2, iterations=1),
    half_lives=HalfLives(trend=7, repurchase=30),
    lanes=dict.fromkeys(LANES, "repurchase"),
)
BEFORE = [("anna", "tea", 10, 1, 0), ("anna", "cups", 9, 1, 0), ("boris", "cups", 10, 1, 0)]


def fitted(rows):
    shop = interactions_of(rows)
    return fit_bundle(
        shop.until(20),
        catalogue([product.decode() for product in shop.products]),
        CHOSEN,
        no_rules(len(shop.products)),
        "implicit",
    )


def test_measures_only_purchases_after_the_bundles_last_day():
    bundle = fitted(BEFORE)
    now = interactions_of([*BEFORE, ("anna", "cups", 11, 1, 0), ("boris", "tea", 11, 1, 0)])
    metrics = summary(backtest.evaluate_since(bundle, now, "champion"))["champion"]["for-you"]
    # Anna bought cups, second in her list; Boris bought tea, his only new product and so second too.
    assert metrics[NDCG] == pytest.approx(1 / np.log2(3))
    assert metrics["customers"] == 2


def test_ignores_unknown_products_and_unknown_customers():
    bundle = fitted(BEFORE)
    now = interactions_of(
        [*BEFORE, ("anna", "an urn", 11, 1, 0), ("anna", "tea", 12, 1, 0), ("vera", "tea", 12, 1, 0)]
    )
    measures = backtest.evaluate_since(bundle, now, "champion")
    metrics = summary(measures)["champion"]["for-you"]
    assert (metrics[NDCG], metrics["customers"]) == (1, 1)


def test_no_new_purchases_give_no_measures():
    assert backtest.evaluate_since(fitted(BEFORE), interactions_of(BEFORE), "champion").num_rows == 0
