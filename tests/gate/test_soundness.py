"""Conditions on a bundle, checked on a sound bundle and on broken ones."""

import time
from dataclasses import replace

import numpy as np
import pytest
from shops import catalogue, interactions_of

from pipelines import evaluate as evaluation
from pipelines.evaluate.differences import select_lane
from pipelines.gate import soundness
from pipelines.gate.settings import load
from pipelines.gate.soundness import check, kept, remembers, sample_answers, steady
from pipelines.train import ranker
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle, fit_without_ranker
from pipelines.train.ranker import RankerSettings
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.recommend import recommender, selection
from serving.recommend.lanes import LANES

pytestmark = pytest.mark.fast

CUT, LAST = 40, 50
SETTINGS = load()
THRESHOLDS = SETTINGS.thresholds
CHOSEN = ModelSettings(
    als=AlsSettings(rank=4, iterations=3, alpha=5.0),
    half_lives=HalfLives(trend=7, repurchase=30),
    lanes={"for-you": "repurchase", "buy-again": "repurchase", "discover": "als"},
)


RANKED = CHOSEN.model_copy(
    update={"ranker": RankerSettings(windows=2, trees=20), "lanes": dict.fromkeys(LANES, "ranker")}
)


def regulars(seed, customers=80, products=60, days=LAST):
    """Returns a shop whose customers buy five products each repeatedly."""
    rng = np.random.default_rng(seed)
    rows = {}
    for customer in range(customers):
        own = rng.choice(products, 5, replace=False)
        for day in rng.choice(days, 15, replace=False):
            rows[f"c{customer:02}", f"p{rng.choice(own):02}", int(day) + 1] = (1, 0)
    return interactions_of(
        [(*key, *value) for key, value in rows.items()], [f"p{p:02}" for p in range(products)]
    )


KNOWN = regulars(5)
NAMES = [product.decode() for product in KNOWN.products]


def fitted(day, shop=KNOWN):
    return fit_bundle(shop.until(day), catalogue(NAMES), CHOSEN, no_rules(len(NAMES)), "implicit")


@pytest.fixture(scope="module")
def bundle():
    return fitted(LAST)


def failed(conditions):
    return {condition.name for condition in conditions if not condition.met}


def test_a_sound_bundle_meets_every_condition(bundle):
    checks = [
        *check(bundle, THRESHOLDS)[1],
        *steady(bundle, fitted(CUT), THRESHOLDS),
        kept(bundle, fitted(CUT), THRESHOLDS),
    ]
    assert failed(checks) == set()
    assert len({condition.name for condition in checks}) == len(checks) == 10


def test_lists_need_not_be_personal_with_few_products(bundle):
    few = replace(bundle, popularity=np.where(np.arange(60) < 20, bundle.popularity, 0))
    assert {condition.name for condition in check(few, THRESHOLDS)[1]} == {
        condition.name for condition in check(bundle, THRESHOLDS)[1][:3]
    }


def test_popularity_has_no_condition_on_memory(bundle):
    popular = replace(bundle, manifest=bundle.manifest | {"lanes": dict.fromkeys(LANES, "popularity")})
    assert (
        remembers(popular, popular, KNOWN.bought(CUT, LAST), evaluation.names.SCHEMA.empty_table(), SETTINGS)
        == []
    )


def test_the_same_list_for_all_customers_fails(bundle):
    same = replace(bundle, user_factors=np.tile(bundle.user_factors[:1], (len(bundle.customers), 1)))
    by_als = replace(same, manifest=same.manifest | {"lanes": dict.fromkeys(LANES, "als")})
    assert failed(check(by_als, THRESHOLDS)[1]) == {"for-you: answers are personal"}


def test_the_trend_may_be_the_same_for_all_customers(bundle):
    trending = replace(bundle, manifest=bundle.manifest | {"lanes": dict.fromkeys(LANES, "trend")})
    assert failed(check(trending, THRESHOLDS)[1]) == set()


def test_answers_that_differ_from_the_best_scores_fail(bundle, monkeypatch):
    best = selection.top_n
    monkeypatch.setattr(selection, "top_n", lambda values, n: best(values, n + 1)[1:])
    assert "answers match the evaluation" in failed(check(bundle, THRESHOLDS)[1])
    assert sample_answers(bundle, 0.1).different > 0


def test_an_empty_answer_fails(bundle, monkeypatch):
    monkeypatch.setattr(recommender, "trending", lambda *arguments, **options: [])
    assert failed(check(bundle, THRESHOLDS)[1]) == {"answers hold products"}


def test_a_slow_answer_fails_with_its_time(bundle):
    (condition,) = (
        condition
        for condition in check(bundle, THRESHOLDS.model_copy(update={"answer_seconds": 1e-9}))[1]
        if not condition.met
    )
    assert condition.name == "answers are quick"
    assert "allowed are 0" in condition.detail


def test_waiting_for_a_busy_machine_makes_no_answer_slow(bundle, monkeypatch):
    answer = soundness.recommend

    def wait_and_answer(*arguments):
        time.sleep(0.01)
        return answer(*arguments)

    monkeypatch.setattr(soundness, "recommend", wait_and_answer)
    thresholds = THRESHOLDS.model_copy(update={"answer_seconds": 0.008})
    assert failed(check(bundle, thresholds)[1]) == set()


@pytest.mark.parametrize("component", ["repurchase", "als"])
def test_a_bundle_remembers_what_it_was_fitted_on(bundle, component):
    truth = KNOWN.bought(CUT, LAST)
    measures = evaluation.evaluate(fitted(CUT), truth, component, component)
    own = replace(bundle, manifest=bundle.manifest | {"lanes": dict.fromkeys(LANES, component)})
    (condition,) = remembers(own, own, truth, measures, SETTINGS)
    assert condition.met, condition.detail
    rng = np.random.default_rng(1)
    other = replace(
        own,
        user_factors=rng.permutation(own.user_factors),
        history_product=rng.permutation(own.history_product),
    )
    (condition,) = remembers(other, other, truth, measures, SETTINGS)
    assert not condition.met, condition.detail


def test_a_single_customer_worse_than_measured_passes(bundle):
    own = replace(bundle, manifest=bundle.manifest | {"lanes": dict.fromkeys(LANES, "als")})
    truth = KNOWN.bought(CUT, LAST)
    measures = select_lane(evaluation.evaluate(own, truth, "als", "als"), "als", "for-you")[:10]
    measured = measures[evaluation.NDCG].to_numpy().copy()
    measured[measured.argmin()] = 1.0
    better = measures.set_column(
        measures.schema.get_field_index(evaluation.NDCG), evaluation.NDCG, [measured]
    )
    lost = 1 - measures[evaluation.NDCG].to_numpy().mean() / measured.mean()
    assert lost > THRESHOLDS.tolerance
    (condition,) = remembers(own, own, truth, better, SETTINGS)
    assert condition.met, condition.detail


def test_a_ranker_fits_its_training_window_as_well_as_measured():
    truth, chosen = KNOWN.bought(CUT, LAST), RANKED
    earlier = fit_without_ranker(
        KNOWN.until(CUT), catalogue(NAMES), chosen, no_rules(len(NAMES)), "implicit", {"lanes": chosen.lanes}
    )
    before, own = (
        fit_bundle(KNOWN.until(day), catalogue(NAMES), chosen, no_rules(len(NAMES)), "implicit")
        for day in (CUT, LAST)
    )
    measures = evaluation.evaluate(before, truth, "ranker", "ranker")
    by_name = {condition.name: condition for condition in remembers(own, earlier, truth, measures, SETTINGS)}
    condition = by_name["ranker: fitted as measured"]
    assert condition.met, condition.detail
    windows = [ranker.examples(earlier, truth, chosen.ranker)]
    opposite = ranker.fit([replace(window, bought=~window.bought) for window in windows], chosen.ranker)
    checks = remembers(replace(own, ranker=opposite), earlier, truth, measures, SETTINGS)
    assert failed(checks) >= {"ranker: fitted as measured"}
    seen = ("history_traits", "customer_traits", "product_traits", "user_factors")
    blind = replace(earlier, **{name: np.zeros_like(getattr(earlier, name)) for name in seen})
    assert failed(remembers(own, blind, truth, measures, SETTINGS)) == {"ranker: fitted as measured"}


@pytest.mark.parametrize(("share", "met"), [(0.05, True), (0.7, False)])
def test_losing_purchases_that_the_champion_knows_fails(bundle, seed, share, met):
    rng = np.random.default_rng(seed)
    fewer = fitted(LAST, KNOWN.where(rng.random(len(KNOWN.day)) >= share))
    condition = kept(fewer, bundle, THRESHOLDS)
    assert condition.met is met, condition.detail
    assert kept(bundle, fewer, THRESHOLDS).met


def test_purchases_of_customers_or_products_that_vanished_count_as_lost(bundle):
    few = KNOWN.where(KNOWN.customer < len(KNOWN.customers) // 2)
    condition = kept(fitted(LAST, few), bundle, THRESHOLDS)
    assert not condition.met
    others = replace(bundle, products=np.sort(np.char.add(b"x", bundle.products)))
    assert kept(others, bundle, THRESHOLDS).detail.startswith("0.0%")


def test_purchases_whose_day_became_earlier_count_as_lost(bundle):
    first, last = KNOWN.day.min(), KNOWN.day.max()
    backwards = fitted(LAST, replace(KNOWN, day=first + last - KNOWN.day))
    condition = kept(backwards, bundle, THRESHOLDS)
    assert not condition.met, condition.detail


def test_recommendations_that_all_change_fail(bundle):
    rng = np.random.default_rng(2)
    other = replace(bundle, user_factors=rng.normal(size=bundle.user_factors.shape).astype(np.float32) * -1)
    checks = {condition.name: condition for condition in steady(other, bundle, THRESHOLDS)}
    assert checks["for-you: steady"].met
    assert not checks["discover: steady"].met, checks["discover: steady"].detail
