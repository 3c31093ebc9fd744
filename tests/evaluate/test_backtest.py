import numpy as np
import pytest
from shops import catalogue, interactions_of

from pipelines.evaluate import NDCG, backtest, summary
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.recommend.lanes import LANES

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
        catalogue([one.decode() for one in shop.products]),
        CHOSEN,
        no_rules(len(shop.products)),
        "implicit",
    )


def test_the_champion_is_measured_on_what_came_after_its_last_day_alone():
    bundle = fitted(BEFORE)
    now = interactions_of([*BEFORE, ("anna", "cups", 11, 1, 0), ("boris", "tea", 11, 1, 0)])
    found = summary(backtest.evaluate_since(bundle, now, "champion"))["champion"]["for-you"]
    # Anna bought cups, her second; Boris bought tea, which is all that he hasn't bought: his second.
    assert found[NDCG] == pytest.approx(1 / np.log2(3))
    assert found["customers"] == 2


def test_products_and_customers_that_it_doesnt_know_are_none_of_its_answers():
    bundle = fitted(BEFORE)
    now = interactions_of(
        [*BEFORE, ("anna", "an urn", 11, 1, 0), ("anna", "tea", 12, 1, 0), ("vera", "tea", 12, 1, 0)]
    )
    judged = backtest.evaluate_since(bundle, now, "champion")
    found = summary(judged)["champion"]["for-you"]
    assert (found[NDCG], found["customers"]) == (1, 1)


def test_a_day_without_orders_tells_nothing():
    assert backtest.evaluate_since(fitted(BEFORE), interactions_of(BEFORE), "champion").num_rows == 0
