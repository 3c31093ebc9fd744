import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.evaluate import LANE, MODEL, NDCG
from pipelines.evaluate.differences import difference
from pipelines.gate.conditions import (
    CHALLENGER,
    CHAMPION,
    SWEEP,
    challenger,
    conditions,
    decide,
    plausible,
    predicted,
    settle,
)
from pipelines.gate.settings import load
from pipelines.train.als import AlsSettings
from pipelines.train.ranker import RankerSettings
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.recommend.lanes import LANES

CUSTOMERS = 500
CHOSEN, OTHER = (
    ModelSettings(
        als=AlsSettings(rank=rank),
        half_lives=HalfLives(trend=7, repurchase=30),
        lanes=dict.fromkeys(LANES, "als"),
    )
    for rank in (8, 16)
)


def judged(seed, noise=0.01, customers=CUSTOMERS, **means):
    """Per model and lane, customers' NDCG around a mean, with noise that the models share in part."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.1, customers)
    tables = [
        pa.table(
            {
                MODEL: pa.repeat(model, customers),
                LANE: pa.repeat(lane, customers),
                "customer": [f"c{i}" for i in range(customers)],
                NDCG: mean + shared + rng.normal(0, noise, customers),
            }
        )
        for model, mean in means.items()
        for lane in LANES
    ]
    return pa.concat_tables(tables)


BASELINES = {"popularity": 0.1, "trend": 0.2, "repurchase": 0.3}


def test_the_difference_is_paired_by_customer(seed):
    settings = load().evaluation
    found = difference(
        judged(seed, challenger=0.32, champion=0.3), "challenger", "champion", "for-you", settings
    )
    # customers differ by 0.1, pairs by 0.014 alone: over 500 of them the interval is about +-0.0012
    assert found.mean == pytest.approx(0.02, abs=0.003)
    assert 0.001 < found.high - found.low < 0.005
    assert found.low < found.mean < found.high
    assert found.customers == CUSTOMERS


def test_a_first_model_that_beats_the_baselines_is_as_the_sweep_chose(seed):
    settled = settle(judged(seed, sweep=0.4, **BASELINES), CHOSEN, None, load())
    assert settled.chosen == CHOSEN
    assert settled.measured_as == dict.fromkeys(LANES, SWEEP)


def test_a_first_model_that_loses_leaves_the_lane_to_the_best_baseline(seed):
    table = judged(seed, sweep=0.25, **BASELINES)
    settled = settle(table, CHOSEN, None, load())
    assert settled.chosen.lanes == settled.measured_as == dict.fromkeys(LANES, "repurchase")
    assert settled.chosen.als == CHOSEN.als
    assert "for-you: repurchase answers it" in settled.reasons[0]
    assert verdict(table, settled, has_champion=False).verdict == "FIRST"


@pytest.mark.parametrize(("choice", "is_new"), [(0.42, True), (0.4, False), (0.399, False), (0.3, False)])
def test_only_what_is_surely_better_takes_the_place_of_the_champions_settings(seed, choice, is_new):
    table = judged(seed, noise=0.02, sweep=choice, champion=0.4, **BASELINES)
    settled = settle(table, CHOSEN, OTHER, load())
    assert settled.is_new is is_new
    assert settled.chosen == (CHOSEN if is_new else OTHER)
    assert settled.measured_as == dict.fromkeys(LANES, SWEEP if is_new else CHAMPION)
    assert verdict(table, settled).verdict == "PROMOTED"


def test_a_lane_that_gains_pays_for_none_that_may_lose(seed):
    tables = {mean: judged(seed, sweep=mean, champion=0.4, **BASELINES) for mean in (0.5, 0.39)}
    table = pa.concat_tables(
        tables[0.5 if lane == "for-you" else 0.39].filter(pc.equal(tables[0.5][LANE], lane)) for lane in LANES
    )
    assert not settle(table, CHOSEN, OTHER, load()).is_new


def test_the_challenger_is_measured_as_what_answers_each_lane(seed):
    table = judged(seed, sweep=0.25, **BASELINES)
    own = challenger(table, settle(table, CHOSEN, None, load()))
    assert own[MODEL].unique().to_pylist() == [CHALLENGER]
    assert own[NDCG].to_pylist() == table.filter(pc.equal(table[MODEL], "repurchase"))[NDCG].to_pylist()


def test_a_ranker_that_answers_no_lane_is_not_trained(seed):
    ranked = CHOSEN.model_copy(update={"ranker": RankerSettings(), "lanes": dict.fromkeys(LANES, "ranker")})
    settings = [
        settle(judged(seed, **BASELINES, sweep=mean), ranked, None, load()).chosen for mean in (0.4, 0.2)
    ]
    assert [one.lanes["discover"] for one in settings] == ["ranker", "repurchase"]
    assert [one.ranker for one in settings] == [RankerSettings(), None]


def test_a_lane_that_is_surely_worse_than_a_baseline_is_answered_by_it(seed):
    table = judged(seed, sweep=0.1, champion=0.25, **BASELINES)
    settled = settle(table, CHOSEN, OTHER, load())
    assert settled.chosen == OTHER.model_copy(update={"lanes": dict.fromkeys(LANES, "repurchase")})
    assert verdict(table, settled).verdict == "PROMOTED"


def test_a_challenger_surely_worse_than_a_baseline_is_refused_with_the_numbers(seed):
    table = judged(seed, challenger=0.25, champion=0.25, **BASELINES)
    decision = decide(conditions(table, None, load()), has_champion=True)
    assert decision.verdict == "REFUSED"
    told = r"for-you: not worse than repurchase: NDCG@10 -0\.0\d+ \[-0\.\d+, -0\.\d+\] against 0\.\d+"
    assert re.fullmatch(told, decision.reasons[0])
    assert len(decision.reasons) == len(LANES)


def test_nothing_measured_is_nothing_promoted(seed):
    table = judged(seed, sweep=0.4, champion=0.4, **BASELINES)[:0]
    decision = verdict(table, settle(table, CHOSEN, OTHER, load()))
    assert decision.verdict == "REFUSED"
    assert decision.reasons == ["for-you: measured: on 0 customers of the test window"]


@pytest.mark.parametrize(("since", "expected"), [(0.42, "PROMOTED"), (0.1, "REFUSED"), (0.5, "PROMOTED")])
def test_the_champion_as_it_served_is_the_last_word(seed, since, expected):
    table = judged(seed, sweep=0.4, champion=0.4, **BASELINES)
    live = judged(seed, noise=0.2, customers=60, challenger=since, champion=0.4)
    decision = verdict(table, settle(table, CHOSEN, OTHER, load()), live=live)
    assert decision.verdict == expected


def test_few_customers_since_tell_nothing(seed):
    table = judged(seed, sweep=0.4, champion=0.4, **BASELINES)
    live = judged(seed, customers=load().thresholds.live_customers - 1, challenger=0.1, champion=0.4)
    assert verdict(table, settle(table, CHOSEN, OTHER, load()), live=live).verdict == "PROMOTED"


@pytest.mark.parametrize(
    ("before", "met"), [(0.4, True), (0.27, True), (0.22, False), (0.61, True), (0.7, False)]
)
def test_what_is_measured_is_near_what_was_measured_before(seed, before, met):
    table = judged(seed, challenger=0.4)
    (found,) = plausible(table, {"for-you": before, "discover": 0.0}, load(), is_young=False)
    assert found.met is met
    few = judged(seed, customers=99, challenger=0.4)
    assert plausible(few, {"for-you": before}, load(), is_young=True) == []
    (young,) = plausible(table, {"for-you": 0.5}, load(), is_young=True)
    assert not young.met
    assert f"the champion's was {before:.4f}" in found.detail


@pytest.mark.parametrize(("since", "met"), [(0.3, True), (0.15, True), (0.1, False)])
def test_orders_that_the_champion_couldnt_foretell_are_none_to_learn_from(seed, since, met):
    live = judged(seed, champion=since)
    (found,) = predicted(live, {"for-you": 0.4}, load())
    assert found.met is met
    assert predicted(None, {"for-you": 0.4}, load()) == []


def verdict(table, settled, live=None, has_champion=True):
    both = pa.concat_tables([table, challenger(table, settled)])
    return decide(conditions(both, live, load()), has_champion)
