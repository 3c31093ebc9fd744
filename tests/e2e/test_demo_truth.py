"""What a bundle learnt from the demo shop says goes together, is alike, and why; against what was planted."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from shops import DEMO, catalogue, demo, demo_baskets

from pipelines import columns as c
from pipelines.train import association_rules
from pipelines.train.als import AlsSettings
from pipelines.train.bundle import fit_bundle, reopen
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.http import responses
from serving.recommend.association_rules import rules_for_cart, rules_from
from serving.recommend.lanes import LANES
from serving.recommend.recommender import BASELINES, recommend
from serving.recommend.related import goes_with, similar

DAYS = 45
SETTINGS = AlsSettings(rank=32, regularisation=1.0, alpha=10.0, half_life_days=30.0)
ASKED = 300


@pytest.fixture(scope="module")
def known():
    return demo(DAYS)


@pytest.fixture(scope="module")
def baskets():
    return demo_baskets(DAYS)


@pytest.fixture(scope="module")
def mined(spark, baskets):
    baskets = spark.createDataFrame(baskets, f"{c.CUSTOMER} string, {c.PRODUCTS} array<string>")
    return association_rules.mine(baskets, association_rules.load())


@pytest.fixture(scope="module")
def bundle(known, mined):
    """Learnt with the night's own rule settings; the products stand in the order of the shop's own."""
    chosen = ModelSettings(als=SETTINGS, half_lives=HalfLives(trend=14.0, repurchase=60.0), lanes={})
    products = catalogue([product.decode() for product in known.products])
    found = association_rules.to_arrays(mined, known.products)
    return reopen(fit_bundle(known, products, chosen, found, "implicit"))


@pytest.fixture(scope="module")
def planted(baskets):
    """The pairs of complements that are bought often enough to be asked for, either way."""
    bought = np.bincount(np.concatenate([np.array(row, int) for _, row in baskets]))
    first = int(DEMO.catalogue[0].id)
    often = [p for p in DEMO.truth.complements if bought[first + p.a] * p.probability >= 30]
    assert len(often) >= 30
    return {(one.a, one.b) for one in often} | {(one.b, one.a) for one in often}


def answers_of(bundle, component, lane, customers=ASKED):
    """Customers and what each of them is answered, if the lane is answered by the component."""
    asked = replace(bundle, manifest=bundle.manifest | {"lanes": dict.fromkeys(LANES, component)})
    for customer in np.random.default_rng(1).choice(len(bundle.customers), customers, replace=False).tolist():
        yield customer, recommend(asked, customer, lane, 10)


def test_what_is_sold_as_going_together_is_what_was_planted_and_all_of_it(bundle, planted):
    """Of all rules, most of which tell of what the same customers like, few are of planted complements."""
    ruled, told = set(), set()
    for product in range(len(bundle.products)):
        ruled |= {(product, int(b)) for b in bundle.rule_consequent[rules_from(bundle, product)]}
        told |= {(product, rule.consequent) for rule in rules_for_cart(bundle, [product], 100)}
    all_planted = {(p.a, p.b) for p in DEMO.truth.complements}
    all_planted |= {(b, a) for a, b in all_planted}
    recall, precision = len(told & planted) / len(planted), len(told & all_planted) / len(told)
    alone = len(ruled & all_planted) / len(ruled)
    print(f"{len(told)} pairs: recall {recall:.3f}, precision {precision:.3f}, of all rules {alone:.3f}")
    assert recall == 1
    assert precision > 0.95
    assert alone < 0.2


def test_alternatives_are_of_the_same_kind_and_none_goes_with_the_product(bundle, planted):
    """A cluster has ten or eleven of the 500 products: by chance one alternative in 50 is of the same.

    Were complements among the alternatives, they would be the first of nearly all that have one: the first
    alternatives were of the same cluster for 84 in 100 products, and are for 92.
    """
    cluster = DEMO.truth.cluster
    silent = replace(bundle, rule_complement=np.zeros_like(bundle.rule_complement))
    found = {name: _alternatives(one) for name, one in (("as it is", bundle), ("without rules", silent))}
    same = {name: np.mean([cluster[a] == cluster[b] for a, b in pairs]) for name, pairs in found.items()}
    met = {name: len(pairs & planted) for name, pairs in found.items()}
    print(f"{len(found['as it is'])} products; of the same cluster: {same}; planted complements: {met}")
    assert same["as it is"] > 0.89 > same["without rules"]
    assert met["as it is"] == 0
    assert met["without rules"] > 0.8 * len(planted)
    assert not _alternatives(bundle, 10) & planted


def _alternatives(bundle, n=1):
    """Products that sell, each with the first of what else sells and is alike."""
    sold = bundle.popularity >= 10
    rows = np.flatnonzero(sold).tolist()
    return {(row, item.product) for row in rows for item in similar(bundle, row, n, sold)}


@pytest.mark.parametrize("component", [*BASELINES, "als"])
def test_who_is_told_of_a_purchase_has_made_it(bundle, known, component):
    bought = set(zip(known.customers[known.customer], known.products[known.product], strict=True))
    told = 0
    for customer, items in answers_of(bundle, component, "for-you"):
        for item in items:
            own = (bundle.customers[customer], bundle.products[item.product]) in bought
            assert (item.kind == "repurchase") is own
            assert item.kind != "repurchase" or item.because == (item.product,)
            told += own
    assert told > ASKED


@pytest.mark.parametrize("component", BASELINES)
def test_what_is_said_to_trend_does(bundle, component):
    """More than most of what is sold at all."""
    median = np.median(bundle.trend[bundle.popularity > 0])
    told = [item for _, items in answers_of(bundle, component, "discover") for item in items]
    told += recommend(bundle, None, "for-you", 10)
    assert {(item.kind, item.because) for item in told} == {("trending", ())}
    assert bundle.trend[[item.product for item in told]].min() > median


def test_without_a_purchase_named_for_a_taste_the_score_is_lower(bundle, known):
    """Factors are solved anew from all that the customer bought but the purchase, and but all those named."""
    strengths = known.matrix(known.orders * known.decay(SETTINGS.half_life_days))
    named, both, less, tastes = 0, 0, 0, 0
    for customer, items in answers_of(bundle, "als", "discover"):
        row = strengths[customer]
        weights = dict(zip(row.indices.tolist(), (SETTINGS.alpha * row.data).tolist(), strict=True))
        factors = _solved(bundle, weights)
        for item in items:
            assert (item.kind == "alike") == bool(bundle.new[item.product])
            if item.kind == "alike":
                continue
            assert (item.kind, item.product in weights) == ("taste", False)
            tastes += 1
            score = bundle.item_factors[item.product] @ factors
            for product in item.because:
                assert product in weights
                assert bundle.item_factors[item.product] @ _solved(bundle, weights, {product}) < score
                named += 1
            if item.because:
                both += 1
                less += bundle.item_factors[item.product] @ _solved(bundle, weights, {*item.because}) < score
    print(f"{named} purchases named; without all of an item's the score is lower for {less} of {both}")
    assert both == tastes > 9 * ASKED
    assert less > 0.99 * both


def _solved(bundle, weights, without=frozenset()):
    """A customer's factors by the normal equations of Hu, Koren, Volinsky (2008)."""
    kept = {product: weight for product, weight in weights.items() if product not in without}
    every = bundle.item_factors.astype(float)
    some, weight = every[list(kept)], np.array(list(kept.values()))
    learned = every[bundle.popularity > 0]
    system = learned.T @ learned + SETTINGS.regularisation * np.eye(every.shape[1]) + (some.T * weight) @ some
    return np.linalg.solve(system, some.T @ (1 + weight))


def test_what_is_bought_together_is_so_as_often_as_is_said(bundle, known, baskets):
    """Of every stated rule the baskets are counted anew."""
    ids = [product.decode() for product in known.products]
    holds = np.zeros((len(ids), len(baskets)), dtype=bool)
    for number, (_, products) in enumerate(baskets):
        holds[np.searchsorted(ids, products), number] = True
    told = 0
    for _, products in islice((one for one in baskets if len(one[1]) > 3), ASKED):
        cart = np.searchsorted(ids, products).tolist()
        for item in responses.items(bundle, goes_with(bundle, cart, 10, np.ones(len(ids), bool))):
            assert item["reason"]["kind"] == "bought-together"
            antecedents = [ids.index(one["product"]) for one in item["reason"]["because"]]
            consequent = ids.index(item["product"])
            assert {*antecedents} <= {*cart} - {consequent}
            before, also = holds[antecedents].all(axis=0), holds[consequent]
            assert item["count"] == (before & also).sum()
            confidence = item["count"] / before.sum()
            stated = [confidence, confidence / also.mean(), item["count"] / len(baskets)]
            assert [item[name] for name in (c.CONFIDENCE, c.LIFT, c.SUPPORT)] == pytest.approx(
                stated, rel=1e-5
            )
            told += 1
    assert told > ASKED / 3
