"""How much weights may count: measured on a planted shop, bounded, and shown."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from shops import catalogue, interactions_of

from pipelines import columns as c
from pipelines.evaluate import LANE, MODEL, NDCG, WEIGHT, customer_segments, evaluate, summary
from pipelines.gate import conditions, product_weight
from pipelines.gate.settings import ProductWeightSettings, load
from pipelines.report import terminal
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle, product_weights
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.bundle.highest import top_n
from serving.recommend.lanes import LANES
from serving.recommend.recommender import scores

CUT, LAST = 40, 50
CHOSEN = ModelSettings(
    als=AlsSettings(rank=4, iterations=3, alpha=5.0),
    half_lives=HalfLives(trend=7, repurchase=30),
    lanes={"for-you": "repurchase", "buy-again": "repurchase", "discover": "trend"},
)
PRODUCTS = [f"p{p:02}" for p in range(60)]


def regulars(seed, customers=120):
    """A shop whose customers buy five products each, over and over, and seldom another."""
    rng = np.random.default_rng(seed)
    rows = {}
    for customer in range(customers):
        own = rng.choice(60, 5, replace=False)
        for day in rng.choice(LAST, 15, replace=False):
            product = rng.choice(own) if rng.random() < 0.9 else rng.integers(60)
            rows[f"c{customer:03}", PRODUCTS[product], int(day) + 1] = (1, 0)
    return interactions_of([(*key, *value) for key, value in rows.items()], PRODUCTS)


def weighing(values):
    return catalogue(PRODUCTS).append_column(c.WEIGHT, pa.array(values, pa.float64()))


@pytest.fixture
def shop(seed):
    return regulars(seed)


@pytest.fixture
def truth(shop):
    return shop.bought(CUT, LAST)


@pytest.fixture
def bundle(shop, seed):
    products = weighing(np.random.default_rng(seed).lognormal(0, 1, len(PRODUCTS)))
    return fit_bundle(shop.until(CUT), products, CHOSEN, no_rules(len(PRODUCTS)), "implicit")


@pytest.mark.parametrize("most_lost", [0.0, 0.02, 0.2, 0.99])
def test_the_strongest_within_the_bound_is_taken(bundle, truth, most_lost):
    bounds = ProductWeightSettings(most_lost=most_lost, strengths=(0.05, 0.2, 0.5, 2.0))
    tried = product_weight.measure_strengths(bundle, truth, bounds)
    chosen = product_weight.strongest(tried, bounds)
    plain = summary(evaluate(bundle, truth, "plain"))["plain"]
    assert tried[0.0] == plain
    kept = {one: min(lanes[lane][NDCG] / plain[lane][NDCG] for lane in LANES) for one, lanes in tried.items()}
    assert kept[chosen] >= 1 - most_lost
    assert all(kept[stronger] < 1 - most_lost for stronger in kept if stronger > chosen)
    if chosen:
        assert tried[chosen]["for-you"][WEIGHT] > plain["for-you"][WEIGHT]


def test_strengths_by_hand():
    def lanes(for_you, discover):
        return {"for-you": {NDCG: for_you}, "discover": {NDCG: discover}}

    found = {0.0: lanes(0.5, 0.1), 0.1: lanes(0.49, 0.11), 0.5: lanes(0.6, 0.097), 1.0: lanes(0.495, 0.098)}
    bounds = ProductWeightSettings(most_lost=0.02, strengths=(0.1, 0.5, 1.0))
    assert product_weight.strongest(found, bounds) == 1.0  # 0.495 / 0.5 is 0.99, 0.098 / 0.1 is 0.98
    assert product_weight.strongest(found | {1.0: lanes(0.495, 0.0979)}, bounds) == 0.1
    assert product_weight.strongest({one: {} for one in found}, bounds) == 0.0


def test_a_shop_without_weights_has_none_that_differ():
    assert not product_weight.has_weights(catalogue(PRODUCTS))
    assert not product_weight.has_weights(weighing([None] * 60))
    assert not product_weight.has_weights(weighing([1.0] * 59 + [-3]))
    assert product_weight.has_weights(weighing([1.0] * 59 + [1.1]))


def test_a_weight_that_is_none_is_like_most():
    given = [2.5, 0, -1, np.nan, np.inf, 1e300, 1e-300, None]
    found = product_weights(pa.table({c.WEIGHT: pa.array(given, pa.float64())}))
    assert (found.tolist(), found.dtype) == ([2.5] + [1.0] * 7, np.float32)


def test_what_is_judged_is_what_serves_and_what_it_would_be_without_weights(shop, bundle, truth):
    chosen = CHOSEN.model_copy(update={"strength": 0.5, "lanes": CHOSEN.lanes | {"discover": "als"}})
    groups = customer_segments(shop.until(CUT))
    found = product_weight.evaluate_challenger(bundle, chosen, truth, groups)
    for model, strength in ((conditions.CHALLENGER, 0.5), (conditions.UNWEIGHTED, 0.0)):
        settings = chosen.model_copy(update={"strength": strength})
        products = weighing(bundle.weight.astype(float))
        serving = fit_bundle(shop.until(CUT), products, settings, no_rules(len(PRODUCTS)), "implicit")
        served = evaluate(serving, truth, model, segments=groups)
        assert [row for row in found.to_pylist() if row[MODEL] == model] == served.to_pylist()
    before, after = (
        summary(found)[name]["for-you"] for name in (conditions.UNWEIGHTED, conditions.CHALLENGER)
    )
    assert after[NDCG] < before[NDCG]
    assert after[WEIGHT] > before[WEIGHT]


def test_the_mean_weight_is_of_the_ten_answered(bundle, truth):
    judged = evaluate(bundle, truth, "plain")
    for row in [row for row in judged.to_pylist() if row[LANE] == "discover"][:20]:
        customer = bundle.customer(row[c.CUSTOMER])
        top = top_n(scores(bundle, np.array([customer]), "discover")[0], 10)
        assert row[WEIGHT] == pytest.approx(bundle.weight[top].astype(float).mean())
    unweighed = replace(bundle, weight=np.full(len(PRODUCTS), 2, np.float32))
    assert evaluate(unweighed, truth, "plain")[WEIGHT].null_count == judged.num_rows


def judged_as(seed, **means):
    """Per model the NDCG of 500 customers around a mean, in lane for-you."""
    noise = np.random.default_rng(seed).normal(0, 0.05, 500)
    parts = [
        pa.table(
            {
                MODEL: [model] * 500,
                LANE: ["for-you"] * 500,
                c.CUSTOMER: [f"c{one}" for one in range(500)],
                NDCG: mean + noise,
            }
        )
        for model, mean in means.items()
    ]
    return pa.concat_tables(parts)


@pytest.mark.parametrize(
    ("weighed", "failed"), [(0.396, set()), (0.37, {"weight costs no more than allowed"})]
)
def test_the_gate_compares_without_weights_and_bounds_what_they_cost(seed, weighed, failed):
    judged = judged_as(seed, challenger=weighed, unweighted=0.4, champion=0.4, repurchase=0.399)
    found = conditions.conditions(judged, None, load())
    assert {one.name.partition(": ")[2] for one in found if not one.met} == failed
    assert "for-you: weight costs no more than allowed" in {one.name for one in found}
    worse = judged_as(seed, challenger=0.396, unweighted=0.38, champion=0.4, repurchase=0.2)
    assert {one.name for one in conditions.conditions(worse, None, load()) if not one.met} == {
        "for-you: no worse than the champion"
    }


def test_both_are_shown(shop, bundle, truth):
    from rich.console import Console

    groups = customer_segments(shop.until(CUT))
    judged = product_weight.evaluate_challenger(
        bundle, CHOSEN.model_copy(update={"strength": 0.5}), truth, groups
    )
    console = Console(width=200)
    with console.capture() as capture:
        console.print(terminal.lane_tables(judged))
    measured = summary(judged)
    assert "weight@10" in capture.get()
    for model in (conditions.CHALLENGER, conditions.UNWEIGHTED):
        for metric in (NDCG, WEIGHT):
            assert f"{measured[model]['for-you'][metric]:.4f}" in capture.get()
    plain = evaluate(replace(bundle, weight=np.ones(60, np.float32)), truth, conditions.CHALLENGER)
    with console.capture() as capture:
        console.print(terminal.lane_tables(plain))
    assert "weight@10" not in capture.get()
