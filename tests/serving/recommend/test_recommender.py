"""Scores and recommendations over the small bundle, computed by hand: see bundles.py."""

import dataclasses

import bundles
import numpy as np
import pytest

from serving.bundle.format import Bundle
from serving.live.identity import pseudonym
from serving.recommend.lanes import LANES, Lane
from serving.recommend.recommender import BASELINES, Component, recommend, scores, trending
from serving.recommend.related import similar
from serving.recommend.shortlist import region_shortlist

pytestmark = pytest.mark.fast


def row(bundle: Bundle, customer: str) -> int:
    index = bundle.customer(pseudonym(customer, bundles.KEY))
    assert index is not None
    return index


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        ("popularity", [5, 4, 3, -np.inf, 4, 2, 1]),
        ("trend", [3, 1, 2, -np.inf, 5, 4, 0.5]),
        # Her own by orders; all others behind them by their share of the highest trend, times 0.001.
        ("repurchase", [3 + 0.0006, 1 + 0.0002, 0.0004, -np.inf, 0.001, 0.0008, 0.0001]),
        ("als", [2, 1.8, 1.6, -np.inf, 0.5, 0.45, 0.4]),
    ],
)
def test_scores_of_each_component_for_anna(
    bundle: Bundle, component: Component, expected: list[float]
) -> None:
    values = scores(bundle, np.array([row(bundle, bundles.ANNA)]), "for-you", component)
    np.testing.assert_allclose(values[0], expected, rtol=1e-6)


def test_scores_do_not_depend_on_the_other_customers(bundle: Bundle) -> None:
    both = np.array([1, 0])
    for lane in ("for-you", "buy-again", "discover"):
        together = scores(bundle, both, lane)
        alone = [scores(bundle, np.array([customer]), lane)[0] for customer in both]
        np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    ("lane", "expected"),
    [("for-you", [4, 5, 6, 0, 1, 2]), ("buy-again", [4, 6]), ("discover", [5, 0, 1, 2])],
)
def test_each_lane_recommends_its_products(bundle: Bundle, lane: Lane, expected: list[int]) -> None:
    items = recommend(bundle, row(bundle, bundles.BORIS), lane, 10)
    assert [item.product for item in items] == expected


def test_returns_n_items_if_enough_are_allowed(bundle: Bundle) -> None:
    allowed = np.array([False, True, True, True, False, False, True])
    items = recommend(bundle, row(bundle, bundles.ANNA), "for-you", 3, allowed)
    assert [item.product for item in items] == [1, 2, 6]


def test_an_unknown_customer_gets_the_trend_in_every_lane(bundle: Bundle) -> None:
    for lane in ("for-you", "buy-again", "discover"):
        assert [item.product for item in recommend(bundle, None, lane, 3)] == [4, 5, 0]


def test_an_unknown_customer_gets_the_regions_trend_before_the_overall_trend(bundle: Bundle) -> None:
    # The overall trend [3, 1, 2, 0, 5, 4, 0.5], divided by 5000, plus the region's trend.
    expected = [0.25 + 0.0006, 0.0002, 0.0004, 0, 0.001, 0.0008, 0.5 + 0.0001]
    shortlist = region_shortlist(bundle, 0, 7, np.ones(7, bool))
    np.testing.assert_allclose(shortlist.values, expected, rtol=1e-6)
    for lane in LANES:
        items = recommend(bundle, None, lane, 10, group=bundle.group("France"))
        assert [item.product for item in items] == [6, 0, 4, 5, 2, 1]
        assert {item.kind for item in items} == {"trending"}
    greek = recommend(bundle, None, "for-you", 2, bundle.category == b"coffee", group=bundle.group("Ελλάδα"))
    assert [item.product for item in greek] == [1, 0]


def test_a_region_changes_nothing_for_a_known_customer(bundle: Bundle) -> None:
    anna = row(bundle, bundles.ANNA)
    for lane in LANES:
        assert recommend(bundle, anna, lane, 10, group=0) == recommend(bundle, anna, lane, 10)


def test_an_unknown_region_has_no_row(bundle: Bundle) -> None:
    assert [bundle.group(name) for name in ("France", "Ελλάδα")] == [0, 1]
    assert [bundle.group(name) for name in ("france", "", "Few")] == [None] * 3


def test_trending_leaves_out_products_without_buyers(bundle: Bundle) -> None:
    items = trending(bundle, 10, buyers=bundle.by_recent[0])
    assert [(item.product, item.score, item.kind) for item in items] == [
        (5, 2, "trending"),
        (4, 1, "trending"),
    ]


def test_reasons_name_the_purchases_that_raise_the_score_most(bundle: Bundle) -> None:
    own, _, taste, *others = recommend(bundle, row(bundle, bundles.ANNA), "for-you", 10)
    assert (own.kind, own.because) == ("repurchase", (0,))
    assert (taste.kind, taste.because) == ("taste", (0, 1))
    assert {(item.kind, item.because) for item in others} == {("taste", ())}


def test_a_component_without_factors_gives_no_taste_reason(bundle: Bundle) -> None:
    lanes = {"lanes": bundle.manifest["lanes"] | {"for-you": "repurchase"}}
    popular = dataclasses.replace(bundle, manifest=bundle.manifest | lanes)
    items = recommend(popular, row(bundle, bundles.ANNA), "for-you", 10)
    assert [item.kind for item in items] == ["repurchase"] * 2 + ["trending"] * 4


def test_similar_products_have_a_cosine_above_zero(bundle: Bundle) -> None:
    assert [(item.product, item.score) for item in similar(bundle, 1, 10)] == [(0, 1), (2, 1)]
    assert [item.product for item in similar(bundle, 1, 10, bundle.in_stock)] == [0]


@pytest.fixture
def introduced(bundle: Bundle) -> Bundle:
    """The bundle with `new` as a new product, a tea between tea-1 and tea-2 in taste."""
    new = np.arange(7) == 3
    factors = np.where(new[:, None], np.float32([0, 0.95]), bundle.item_factors)
    return dataclasses.replace(bundle, new=new, item_factors=factors)


def test_a_new_product_is_scored_by_factors_and_by_no_baseline(
    introduced: Bundle,
) -> None:
    boris = np.array([row(introduced, bundles.BORIS)])
    assert scores(introduced, boris, "discover", "als")[0, 3] == pytest.approx(1.9)
    for component in BASELINES:
        assert scores(introduced, boris, "for-you", component)[0, 3] == -np.inf
    assert scores(introduced, boris, "buy-again", "als")[0, 3] == -np.inf


def test_the_reason_for_a_new_product_is_a_similar_description(introduced: Bundle) -> None:
    first = recommend(introduced, row(introduced, bundles.BORIS), "discover", 10)[0]
    assert (first.product, first.kind, first.because) == (3, "alike", (4,))  # tea-3 has no description
    items = {
        item.product: item for item in recommend(introduced, row(introduced, bundles.ANNA), "discover", 10)
    }
    # The cosine of the descriptions is 0.6 for her second coffee, 0 for the first.
    assert (items[3].kind, items[3].because) == ("alike", (1,))
    assert {item.kind for product, item in items.items() if product != 3} == {"taste"}


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (3, [(4, 1.0), (5, 0.8), (1, 0.6)]),  # no buyers
        (5, [(1, 0.96), (3, 0.8), (0, 0.6), (2, 0.6)]),  # two buyers; tea-1 is a complement
        (6, []),  # one buyer and no description
    ],
)
def test_similar_compares_descriptions_if_the_product_has_few_buyers(
    bundle: Bundle, product: int, expected: list[tuple[int, float]]
) -> None:
    items = similar(bundle, product, 10)
    assert [(item.product, pytest.approx(item.score)) for item in items] == expected
    assert {(item.kind, item.because) for item in items} <= {("alike", (product,))}


def test_similar_leaves_out_products_with_few_buyers_if_the_product_has_many(introduced: Bundle) -> None:
    assert similar(introduced, 4, 10) == []  # tea-2 has two buyers, tea-3 one, `new` none
    popular = dataclasses.replace(introduced, popularity=np.full(7, 9, dtype=np.float32))
    assert {(item.product, item.kind) for item in similar(popular, 4, 10)} == {(p, "taste") for p in (3, 6)}


def test_similar_leaves_out_complements(bundle: Bundle) -> None:
    """Rules lead from coffee-1 to coffee-3, a complement, and to coffee-2, which is none."""
    assert [item.product for item in similar(bundle, 0, 10)] == [1]
    assert [item.product for item in similar(bundle, 2, 10)] == [1]
