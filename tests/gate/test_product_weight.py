"""Re-ranking by product weight: its strength, its cost, and how it is reported."""

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

pytestmark = pytest.mark.fast

CUT, LAST = 40, 50
CHOSEN = ModelSettings(
    als=AlsSettings(rank=4, iterations=3, alpha=5.0),
    half_lives=HalfLives(trend=7, repurchase=30),
    lanes={"for-you": "repurchase", "buy-again": "repurchase", "discover": "trend"},
)
PRODUCTS = [f"p{p:02}" for p in range(60)]


def regulars(seed, customers=120):
    """Returns a shop whose customers buy five products each repeatedly, and seldom another."""
    rng = np.random.default_rng(seed)
    rows = {}
    for customer in range(customers):
        own = rng.choice(60, 5, replace=False)
        for day in rng.choice(LAST, 15, replace=False):
            product = rng.choice(own) if rng.random() < 0.9 else rng.integers(60)
            rows[f"c{customer:03}", PRODUCTS[product], int(day) + 1] = (1, 0)
    return interactions_of([(*key, *value) for key, value in rows.items()], PRODUCTS)


def products_with_weights(values):
    return catalogue(PRODUCTS).append_column(c.WEIGHT, pa.array(values, pa.float64()))


@pytest.fixture
def shop(seed):
    return regulars(seed)


@pytest.fixture
def truth(shop):
    return shop.bought(CUT, LAST)


@pytest.fixture
def bundle(shop, seed):
    products = products_with_weights(np.random.default_rng(seed).lognormal(0, 1, len(PRODUCTS)))
    return fit_bundle(shop.until(CUT), products, CHOSEN, no_rules(len(PRODUCTS)), "implicit")


@pytest.mark.parametrize("most_lost", [0.0, 0.02, 0.2, 0.99])
def test_chooses_the_largest_strength_within_the_limit(bundle, truth, most_lost):
    limits = ProductWeightSettings(most_lost=most_lost, strengths=(0.05, 0.2, 0.5, 2.0))
    trials = product_weight.measure_strengths(bundle, truth, limits)
    chosen = product_weight.strongest(trials, limits)
    plain = summary(evaluate(bundle, truth, "plain"))["plain"]
    assert trials[0.0] == plain
    kept = {
        strength: min(lanes[lane][NDCG] / plain[lane][NDCG] for lane in LANES)
        for strength, lanes in trials.items()
    }
    assert kept[chosen] >= 1 - most_lost
    assert all(kept[stronger] < 1 - most_lost for stronger in kept if stronger > chosen)
    if chosen:
        assert trials[chosen]["for-you"][WEIGHT] > plain["for-you"][WEIGHT]


def test_strongest_by_hand():
    def lanes(for_you, discover):
        return {"for-you": {NDCG: for_you}, "discover": {NDCG: discover}}

    result = {0.0: lanes(0.5, 0.1), 0.1: lanes(0.49, 0.11), 0.5: lanes(0.6, 0.097), 1.0: lanes(0.495, 0.098)}
    limits = ProductWeightSettings(most_lost=0.02, strengths=(0.1, 0.5, 1.0))
    assert product_weight.strongest(result, limits) == 1.0  # 0.495 / 0.5 is 0.99, 0.098 / 0.1 is 0.98
    assert product_weight.strongest(result | {1.0: lanes(0.495, 0.0979)}, limits) == 0.1
    assert product_weight.strongest({strength: {} for strength in result}, limits) == 0.0


def test_has_weights_only_if_valid_weights_differ():
    assert not product_weight.has_weights(catalogue(PRODUCTS))
    assert not product_weight.has_weights(products_with_weights([None] * 60))
    assert not product_weight.has_weights(products_with_weights([1.0] * 59 + [-3]))
    assert product_weight.has_weights(products_with_weights([1.0] * 59 + [1.1]))


def test_invalid_weights_count_as_one():
    given = [2.5, 0, -1, np.nan, np.inf, 1e300, 1e-300, None]
    result = product_weights(pa.table({c.WEIGHT: pa.array(given, pa.float64())}))
    assert (result.tolist(), result.dtype) == ([2.5] + [1.0] * 7, np.float32)


def test_measures_equal_those_of_the_served_bundle_with_and_without_weights(shop, bundle, truth):
    chosen = CHOSEN.model_copy(update={"strength": 0.5, "lanes": CHOSEN.lanes | {"discover": "als"}})
    segments = customer_segments(shop.until(CUT))
    result = product_weight.evaluate_challenger(bundle, chosen, truth, segments)
    for model, strength in ((conditions.CHALLENGER, 0.5), (conditions.UNWEIGHTED, 0.0)):
        settings = chosen.model_copy(update={"strength": strength})
        products = products_with_weights(bundle.weight.astype(float))
        serving = fit_bundle(shop.until(CUT), products, settings, no_rules(len(PRODUCTS)), "implicit")
        served = evaluate(serving, truth, model, segments=segments)
        assert [row for row in result.to_pylist() if row[MODEL] == model] == served.to_pylist()
    before, after = (
        summary(result)[name]["for-you"] for name in (conditions.UNWEIGHTED, conditions.CHALLENGER)
    )
    assert after[NDCG] < before[NDCG]
    assert after[WEIGHT] > before[WEIGHT]


def test_mean_weight_is_over_the_ten_recommended_products(bundle, truth):
    measures = evaluate(bundle, truth, "plain")
    for row in [row for row in measures.to_pylist() if row[LANE] == "discover"][:20]:
        customer = bundle.customer(row[c.CUSTOMER])
        top = top_n(scores(bundle, np.array([customer]), "discover")[0], 10)
        assert row[WEIGHT] == pytest.approx(bundle.weight[top].astype(float).mean())
    equal_weights = replace(bundle, weight=np.full(len(PRODUCTS), 2, np.float32))
    assert evaluate(equal_weights, truth, "plain")[WEIGHT].null_count == measures.num_rows


def measures_of(seed, **means):
    """Returns per model the NDCG of 500 customers around a mean, in lane for-you."""
    noise = np.random.default_rng(seed).normal(0, 0.05, 500)
    parts = [
        pa.table(
            {
                MODEL: [model] * 500,
                LANE: ["for-you"] * 500,
                c.CUSTOMER: [f"c{number}" for number in range(500)],
                NDCG: mean + noise,
            }
        )
        for model, mean in means.items()
    ]
    return pa.concat_tables(parts)


@pytest.mark.parametrize(
    ("weighted", "failed"), [(0.396, set()), (0.37, {"weight costs no more than allowed"})]
)
def test_the_gate_compares_without_weights_and_limits_their_cost(seed, weighted, failed):
    measures = measures_of(seed, challenger=weighted, unweighted=0.4, champion=0.4, repurchase=0.399)
    result = conditions.conditions(measures, None, load())
    assert {condition.name.partition(": ")[2] for condition in result if not condition.met} == failed
    assert "for-you: weight costs no more than allowed" in {condition.name for condition in result}
    worse = measures_of(seed, challenger=0.396, unweighted=0.38, champion=0.4, repurchase=0.2)
    assert {
        condition.name for condition in conditions.conditions(worse, None, load()) if not condition.met
    } == {"for-you: no worse than the champion"}


def test_the_terminal_shows_measures_with_and_without_weights(shop, bundle, truth):
    from rich.console import Console

    segments = customer_segments(shop.until(CUT))
    measures = product_weight.evaluate_challenger(
        bundle, CHOSEN.model_copy(update={"strength": 0.5}), truth, segments
    )
    console = Console(width=200)
    with console.capture() as capture:
        console.print(terminal.lane_tables(measures))
    measured = summary(measures)
    assert "weight@10" in capture.get()
    for model in (conditions.CHALLENGER, conditions.UNWEIGHTED):
        for metric in (NDCG, WEIGHT):
            assert f"{measured[model]['for-you'][metric]:.4f}" in capture.get()
    plain = evaluate(replace(bundle, weight=np.ones(60, np.float32)), truth, conditions.CHALLENGER)
    with console.capture() as capture:
        console.print(terminal.lane_tables(plain))
    assert "weight@10" not in capture.get()
