"""Complements, alternatives and reasons from a fit on the demo shop, compared with what the shop planted."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from frames import frame
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
CUSTOMERS = 300


@pytest.fixture(scope="module")
def known():
    return demo(DAYS)


@pytest.fixture(scope="module")
def baskets():
    return demo_baskets(DAYS)


@pytest.fixture(scope="module")
def mined(baskets):
    baskets = frame(baskets, f"{c.CUSTOMER} string, {c.PRODUCTS} array<string>")
    return association_rules.mine(baskets, association_rules.load())


@pytest.fixture(scope="module")
def bundle(known, mined):
    """A bundle with the rules of a nightly run; products have the same order as in the demo shop."""
    chosen = ModelSettings(als=SETTINGS, half_lives=HalfLives(trend=14.0, repurchase=60.0), lanes={})
    products = catalogue([product.decode() for product in known.products])
    results = association_rules.to_arrays(mined, known.products)
    return reopen(fit_bundle(known, products, chosen, results, "implicit"))


@pytest.fixture(scope="module")
def planted(baskets):
    """The planted pairs that are bought often enough to be required, in both directions."""
    bought = np.bincount(np.concatenate([np.array(row, int) for _, row in baskets]))
    first = int(DEMO.catalogue[0].id)
    often = [p for p in DEMO.truth.complements if bought[first + p.a] * p.probability >= 30]
    assert len(often) >= 30
    return {(pair.a, pair.b) for pair in often} | {(pair.b, pair.a) for pair in often}


def answers_of(bundle, component, lane, customers=CUSTOMERS):
    """Yields random customers and their recommendations in a lane answered by the component."""
    with_component = replace(bundle, manifest=bundle.manifest | {"lanes": dict.fromkeys(LANES, component)})
    for customer in np.random.default_rng(1).choice(len(bundle.customers), customers, replace=False).tolist():
        yield customer, recommend(with_component, customer, lane, 10)


def test_complements_are_the_planted_pairs_and_all_of_them(bundle, planted):
    """Without the test of complements few rules are planted pairs: most join products that share buyers."""
    ruled, shown = set(), set()
    for product in range(len(bundle.products)):
        ruled |= {(product, int(b)) for b in bundle.rule_consequent[rules_from(bundle, product)]}
        shown |= {(product, rule.consequent) for rule in rules_for_cart(bundle, [product], 100)}
    all_planted = {(p.a, p.b) for p in DEMO.truth.complements}
    all_planted |= {(b, a) for a, b in all_planted}
    recall, precision = len(shown & planted) / len(planted), len(shown & all_planted) / len(shown)
    alone = len(ruled & all_planted) / len(ruled)
    print(f"{len(shown)} pairs: recall {recall:.3f}, precision {precision:.3f}, of all rules {alone:.3f}")
    assert recall == 1
    assert precision > 0.95
    assert alone < 0.2


def test_alternatives_share_the_cluster_and_are_no_complements(bundle, planted):
    """A cluster has ten or eleven of the 500 products, so by chance one alternative in 50 shares it.

    If complements were not removed, they would be the first alternative of nearly every product that has one:
    then 84 % of the first alternatives share the cluster, with the removal 92 %.
    """
    cluster = DEMO.truth.cluster
    silent = replace(bundle, rule_complement=np.zeros_like(bundle.rule_complement))
    results = {name: _alternatives(pair) for name, pair in (("as it is", bundle), ("without rules", silent))}
    same = {name: np.mean([cluster[a] == cluster[b] for a, b in pairs]) for name, pairs in results.items()}
    met = {name: len(pairs & planted) for name, pairs in results.items()}
    print(f"{len(results['as it is'])} products; of the same cluster: {same}; planted complements: {met}")
    assert same["as it is"] > 0.89 > same["without rules"]
    assert met["as it is"] == 0
    assert met["without rules"] > 0.8 * len(planted)
    assert not _alternatives(bundle, 10) & planted


def _alternatives(bundle, n=1):
    """Returns pairs of a product that sells and one of its first n alternatives."""
    sold = bundle.popularity >= 10
    rows = np.flatnonzero(sold).tolist()
    return {(row, item.product) for row in rows for item in similar(bundle, row, n, sold)}


@pytest.mark.parametrize("component", [*BASELINES, "als"])
def test_a_purchase_given_as_reason_was_made(bundle, known, component):
    bought = set(zip(known.customers[known.customer], known.products[known.product], strict=True))
    shown = 0
    for customer, items in answers_of(bundle, component, "for-you"):
        for item in items:
            own = (bundle.customers[customer], bundle.products[item.product]) in bought
            assert (item.kind == "repurchase") is own
            assert item.kind != "repurchase" or item.because == (item.product,)
            shown += own
    assert shown > CUSTOMERS


@pytest.mark.parametrize("component", BASELINES)
def test_products_given_as_trending_are_trending(bundle, component):
    """Their trend is above the median of the products sold."""
    median = np.median(bundle.trend[bundle.popularity > 0])
    shown = [item for _, items in answers_of(bundle, component, "discover") for item in items]
    shown += recommend(bundle, None, "for-you", 10)
    assert {(item.kind, item.because) for item in shown} == {("trending", ())}
    assert bundle.trend[[item.product for item in shown]].min() > median


def test_removing_a_purchase_given_as_reason_lowers_the_score(bundle, known):
    """Factors are solved again without each purchase given as a reason, and without all of them."""
    strengths = known.matrix(known.orders * known.decay(SETTINGS.half_life_days))
    named, with_reasons, lower, tastes = 0, 0, 0, 0
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
                with_reasons += 1
                lower += bundle.item_factors[item.product] @ _solved(bundle, weights, {*item.because}) < score
    print(
        f"{named} purchases named; without all of an item's the score is lower for {lower} of {with_reasons}"
    )
    assert with_reasons == tastes > 9 * CUSTOMERS
    assert lower > 0.99 * with_reasons


def _solved(bundle, weights, without=frozenset()):
    """Returns a customer's factors by the normal equations of Hu, Koren, Volinsky (2008)."""
    kept = {product: weight for product, weight in weights.items() if product not in without}
    all_factors = bundle.item_factors.astype(float)
    bought, weight = all_factors[list(kept)], np.array(list(kept.values()))
    learned = all_factors[bundle.popularity > 0]
    system = (
        learned.T @ learned
        + SETTINGS.regularisation * np.eye(all_factors.shape[1])
        + (bought.T * weight) @ bought
    )
    return np.linalg.solve(system, bought.T @ (1 + weight))


def test_counts_and_measures_of_stated_rules_equal_a_new_count(bundle, known, baskets):
    """Counts the baskets of every rule that is given as a reason."""
    ids = [product.decode() for product in known.products]
    holds = np.zeros((len(ids), len(baskets)), dtype=bool)
    for number, (_, products) in enumerate(baskets):
        holds[np.searchsorted(ids, products), number] = True
    shown = 0
    for _, products in islice((pair for pair in baskets if len(pair[1]) > 3), CUSTOMERS):
        cart = np.searchsorted(ids, products).tolist()
        for item in responses.items(bundle, goes_with(bundle, cart, 10, np.ones(len(ids), bool))):
            assert item["reason"]["kind"] == "bought-together"
            antecedents = [ids.index(pair["product"]) for pair in item["reason"]["because"]]
            consequent = ids.index(item["product"])
            assert {*antecedents} <= {*cart} - {consequent}
            before, also = holds[antecedents].all(axis=0), holds[consequent]
            assert item["count"] == (before & also).sum()
            confidence = item["count"] / before.sum()
            stated = [confidence, confidence / also.mean(), item["count"] / len(baskets)]
            assert [item[name] for name in (c.CONFIDENCE, c.LIFT, c.SUPPORT)] == pytest.approx(
                stated, rel=1e-5
            )
            shown += 1
    assert shown > CUSTOMERS / 3
