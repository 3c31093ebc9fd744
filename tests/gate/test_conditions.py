"""How the gate settles the challenger, and the conditions that it must meet."""

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

pytestmark = pytest.mark.fast

CUSTOMERS = 500
CHOSEN, OTHER = (
    ModelSettings(
        als=AlsSettings(rank=rank),
        half_lives=HalfLives(trend=7, repurchase=30),
        lanes=dict.fromkeys(LANES, "als"),
    )
    for rank in (8, 16)
)


def measures_of(seed, noise=0.01, customers=CUSTOMERS, **means):
    """Returns NDCG per model, lane and customer around a mean; part of the noise is shared by the models."""
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
    result = difference(
        measures_of(seed, challenger=0.32, champion=0.3), "challenger", "champion", "for-you", settings
    )
    # customers deviate by 0.1, their differences by only 0.014: over 500 the interval is about +-0.0012
    assert result.mean == pytest.approx(0.02, abs=0.003)
    assert 0.001 < result.high - result.low < 0.005
    assert result.low < result.mean < result.high
    assert result.customers == CUSTOMERS


def test_a_first_model_that_beats_the_baselines_keeps_the_sweeps_lanes(seed):
    settled = settle(measures_of(seed, sweep=0.4, **BASELINES), CHOSEN, None, load())
    assert settled.chosen == CHOSEN
    assert settled.measured_as == dict.fromkeys(LANES, SWEEP)


def test_a_first_model_that_loses_a_lane_gives_it_to_the_best_baseline(seed):
    table = measures_of(seed, sweep=0.25, **BASELINES)
    settled = settle(table, CHOSEN, None, load())
    assert settled.chosen.lanes == settled.measured_as == dict.fromkeys(LANES, "repurchase")
    assert settled.chosen.als == CHOSEN.als
    assert "for-you: repurchase answers it" in settled.reasons[0]
    assert verdict(table, settled, has_champion=False).verdict == "FIRST"


@pytest.mark.parametrize(
    ("choice", "noise", "is_new"),
    [(0.42, 0.02, True), (0.4, 0.0, False), (0.39, 0.02, False), (0.3, 0.02, False)],
)
def test_new_settings_need_confidence_to_replace_the_champions(seed, choice, noise, is_new):
    table = measures_of(seed, noise=noise, sweep=choice, champion=0.4, **BASELINES)
    settled = settle(table, CHOSEN, OTHER, load())
    assert settled.is_new is is_new
    assert settled.chosen == (CHOSEN if is_new else OTHER)
    assert settled.measured_as == dict.fromkeys(LANES, SWEEP if is_new else CHAMPION)
    assert verdict(table, settled).verdict == "PROMOTED"


def test_a_gain_in_one_lane_does_not_offset_a_possible_loss_in_another(seed):
    tables = {mean: measures_of(seed, sweep=mean, champion=0.4, **BASELINES) for mean in (0.5, 0.39)}
    table = pa.concat_tables(
        tables[0.5 if lane == "for-you" else 0.39].filter(pc.equal(tables[0.5][LANE], lane)) for lane in LANES
    )
    assert not settle(table, CHOSEN, OTHER, load()).is_new


def test_the_challengers_measures_are_those_of_the_model_that_answers_each_lane(seed):
    table = measures_of(seed, sweep=0.25, **BASELINES)
    own = challenger(table, settle(table, CHOSEN, None, load()))
    assert own[MODEL].unique().to_pylist() == [CHALLENGER]
    assert own[NDCG].to_pylist() == table.filter(pc.equal(table[MODEL], "repurchase"))[NDCG].to_pylist()


def test_a_ranker_that_answers_no_lane_is_not_trained(seed):
    ranked = CHOSEN.model_copy(update={"ranker": RankerSettings(), "lanes": dict.fromkeys(LANES, "ranker")})
    settings = [
        settle(measures_of(seed, **BASELINES, sweep=mean), ranked, None, load()).chosen for mean in (0.4, 0.2)
    ]
    assert [chosen.lanes["discover"] for chosen in settings] == ["ranker", "repurchase"]
    assert [chosen.ranker for chosen in settings] == [RankerSettings(), None]


def test_a_baseline_answers_a_lane_that_loses_to_it_with_confidence(seed):
    table = measures_of(seed, sweep=0.1, champion=0.25, **BASELINES)
    settled = settle(table, CHOSEN, OTHER, load())
    assert settled.chosen == OTHER.model_copy(update={"lanes": dict.fromkeys(LANES, "repurchase")})
    assert verdict(table, settled).verdict == "PROMOTED"


def test_a_challenger_worse_than_a_baseline_is_refused_with_the_figures(seed):
    table = measures_of(seed, challenger=0.25, champion=0.25, **BASELINES)
    decision = decide(conditions(table, None, load()), has_champion=True)
    assert decision.verdict == "REFUSED"
    pattern = r"for-you: not worse than repurchase: NDCG@10 -0\.0\d+ \[-0\.\d+, -0\.\d+\] against 0\.\d+"
    assert re.fullmatch(pattern, decision.reasons[0])
    assert len(decision.reasons) == len(LANES)


def test_a_challenger_without_measures_is_refused(seed):
    table = measures_of(seed, sweep=0.4, champion=0.4, **BASELINES)[:0]
    decision = verdict(table, settle(table, CHOSEN, OTHER, load()))
    assert decision.verdict == "REFUSED"
    assert decision.reasons == ["for-you: measured: on 0 customers of the test window"]


@pytest.mark.parametrize(("since", "expected"), [(0.42, "PROMOTED"), (0.1, "REFUSED"), (0.5, "PROMOTED")])
def test_new_orders_decide_between_challenger_and_champion(seed, since, expected):
    table = measures_of(seed, sweep=0.4, champion=0.4, **BASELINES)
    new_orders = measures_of(seed, noise=0.2, customers=60, challenger=since, champion=0.4)
    decision = verdict(table, settle(table, CHOSEN, OTHER, load()), new_orders)
    assert decision.verdict == expected


def test_too_few_customers_on_new_orders_are_ignored(seed):
    table = measures_of(seed, sweep=0.4, champion=0.4, **BASELINES)
    customers = load().thresholds.live_customers - 1
    new_orders = measures_of(seed, customers=customers, challenger=0.1, champion=0.4)
    assert verdict(table, settle(table, CHOSEN, OTHER, load()), new_orders).verdict == "PROMOTED"


@pytest.mark.parametrize(
    ("before", "met"), [(0.4, True), (0.27, True), (0.22, False), (0.61, True), (0.7, False)]
)
def test_measures_far_from_the_champions_own_are_implausible(seed, before, met):
    table = measures_of(seed, challenger=0.4)
    (result,) = plausible(table, {"for-you": before, "discover": 0.0}, load(), is_young=False)
    assert result.met is met
    few = measures_of(seed, customers=99, challenger=0.4)
    assert plausible(few, {"for-you": before}, load(), is_young=True) == []
    (young,) = plausible(table, {"for-you": 0.5}, load(), is_young=True)
    assert not young.met
    assert f"the champion's was {before:.4f}" in result.detail


@pytest.mark.parametrize(("since", "met"), [(0.3, True), (0.15, True), (0.1, False)])
def test_new_orders_that_the_champion_cannot_predict_fail_the_condition(seed, since, met):
    new_orders = measures_of(seed, champion=since)
    (result,) = predicted(new_orders, {"for-you": 0.4}, load())
    assert result.met is met
    assert predicted(None, {"for-you": 0.4}, load()) == []


def verdict(table, settled, new_orders=None, has_champion=True):
    """Returns the gate's decision on a settled challenger."""
    with_challenger = pa.concat_tables([table, challenger(table, settled)])
    return decide(conditions(with_challenger, new_orders, load()), has_champion)
