"""Scores over the small bundle, whose every answer is arithmetic: see bundles.py."""

import dataclasses

import bundles
import numpy as np
import pytest

from serving.bundle.format import Bundle
from serving.live.identity import pseudonym
from serving.recommend.recommender import (
    BASELINES,
    LANES,
    Component,
    Lane,
    bought_mask,
    recommend,
    scores,
    trending,
)
from serving.recommend.related import similar
from serving.recommend.shortlist import region_shortlist


def row(bundle: Bundle, customer: str) -> int:
    found = bundle.customer(pseudonym(customer, bundles.KEY))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        ("popularity", [5, 4, 3, -np.inf, 4, 2, 1]),
        ("trend", [3, 1, 2, -np.inf, 5, 4, 0.5]),
        # Her own by orders, all others behind them by a thousandth of their share of the highest trend.
        ("repurchase", [3 + 0.0006, 1 + 0.0002, 0.0004, -np.inf, 0.001, 0.0008, 0.0001]),
        ("als", [2, 1.8, 1.6, -np.inf, 0.5, 0.45, 0.4]),
    ],
)
def test_what_each_component_says_of_anna(
    bundle: Bundle, component: Component, expected: list[float]
) -> None:
    values = scores(bundle, np.array([row(bundle, bundles.ANNA)]), "for-you", component)
    np.testing.assert_allclose(values[0], expected, rtol=1e-6)


def test_customers_are_scored_together_as_one_by_one(bundle: Bundle) -> None:
    both = np.array([1, 0])
    for lane in ("for-you", "buy-again", "discover"):
        together = scores(bundle, both, lane)
        alone = [scores(bundle, np.array([customer]), lane)[0] for customer in both]
        np.testing.assert_array_equal(together, alone)


def test_who_bought_what(bundle: Bundle) -> None:
    mask = bought_mask(bundle, np.array([row(bundle, bundles.BORIS), row(bundle, bundles.ANNA)]))
    assert [np.flatnonzero(one).tolist() for one in mask] == [[4, 6], [0, 1]]


@pytest.mark.parametrize(
    ("lane", "expected"),
    [("for-you", [4, 5, 6, 0, 1, 2]), ("buy-again", [4, 6]), ("discover", [5, 0, 1, 2])],
)
def test_lanes_of_boris(bundle: Bundle, lane: Lane, expected: list[int]) -> None:
    items = recommend(bundle, row(bundle, bundles.BORIS), lane, 10)
    assert [item.product for item in items] == expected


def test_n_items_come_back_as_long_as_there_are_as_many(bundle: Bundle) -> None:
    allowed = np.array([False, True, True, True, False, False, True])
    items = recommend(bundle, row(bundle, bundles.ANNA), "for-you", 3, allowed)
    assert [item.product for item in items] == [1, 2, 6]


def test_a_stranger_gets_the_trend_in_every_lane(bundle: Bundle) -> None:
    for lane in ("for-you", "buy-again", "discover"):
        assert [item.product for item in recommend(bundle, None, lane, 3)] == [4, 5, 0]


def test_a_stranger_of_a_group_gets_its_trend_and_behind_it_the_overall_one(bundle: Bundle) -> None:
    # Overall [3, 1, 2, 0, 5, 4, 0.5] as thousandths of its highest, and the group's on top of it.
    expected = [0.25 + 0.0006, 0.0002, 0.0004, 0, 0.001, 0.0008, 0.5 + 0.0001]
    everything = region_shortlist(bundle, 0, 7, np.ones(7, bool))
    np.testing.assert_allclose(everything.values, expected, rtol=1e-6)
    for lane in LANES:
        items = recommend(bundle, None, lane, 10, group=bundle.group("France"))
        assert [item.product for item in items] == [6, 0, 4, 5, 2, 1]
        assert {item.kind for item in items} == {"trending"}
    greek = recommend(bundle, None, "for-you", 2, bundle.category == b"coffee", group=bundle.group("Ελλάδα"))
    assert [item.product for item in greek] == [1, 0]


def test_a_group_changes_nothing_for_a_customer(bundle: Bundle) -> None:
    anna = row(bundle, bundles.ANNA)
    for lane in LANES:
        assert recommend(bundle, anna, lane, 10, group=0) == recommend(bundle, anna, lane, 10)


def test_an_unknown_group_has_no_row(bundle: Bundle) -> None:
    assert [bundle.group(name) for name in ("France", "Ελλάδα")] == [0, 1]
    assert [bundle.group(name) for name in ("france", "", "Few")] == [None] * 3


def test_trending_leaves_out_what_nobody_bought(bundle: Bundle) -> None:
    items = trending(bundle, 10, buyers=bundle.by_recent[0])
    assert [(item.product, item.score, item.kind) for item in items] == [
        (5, 2, "trending"),
        (4, 1, "trending"),
    ]


def test_reasons_are_the_purchases_that_pull_most(bundle: Bundle) -> None:
    own, _, taste, *others = recommend(bundle, row(bundle, bundles.ANNA), "for-you", 10)
    assert (own.kind, own.because) == ("repurchase", (0,))
    assert (taste.kind, taste.because) == ("taste", (0, 1))
    assert {(item.kind, item.because) for item in others} == {("taste", ())}


def test_a_component_without_taste_claims_none(bundle: Bundle) -> None:
    lanes = {"lanes": bundle.manifest["lanes"] | {"for-you": "repurchase"}}
    popular = dataclasses.replace(bundle, manifest=bundle.manifest | lanes)
    items = recommend(popular, row(bundle, bundles.ANNA), "for-you", 10)
    assert [item.kind for item in items] == ["repurchase"] * 2 + ["trending"] * 4


def test_similar_is_the_cosine_above_zero(bundle: Bundle) -> None:
    assert [(item.product, item.score) for item in similar(bundle, 1, 10)] == [(0, 1), (2, 1)]
    assert [item.product for item in similar(bundle, 1, 10, bundle.in_stock)] == [0]


@pytest.fixture
def introduced(bundle: Bundle) -> Bundle:
    """The bundle with `new` as a tea that nobody has bought yet, between tea-1 and tea-2 in taste."""
    new = np.arange(7) == 3
    factors = np.where(new[:, None], np.float32([0, 0.95]), bundle.item_factors)
    return dataclasses.replace(bundle, new=new, item_factors=factors)


def test_a_new_product_is_answered_by_what_knows_its_description_and_by_no_baseline(
    introduced: Bundle,
) -> None:
    boris = np.array([row(introduced, bundles.BORIS)])
    assert scores(introduced, boris, "discover", "als")[0, 3] == pytest.approx(1.9)
    for component in BASELINES:
        assert scores(introduced, boris, "for-you", component)[0, 3] == -np.inf
    assert scores(introduced, boris, "buy-again", "als")[0, 3] == -np.inf


def test_a_new_product_is_recommended_for_what_is_described_alike(introduced: Bundle) -> None:
    first = recommend(introduced, row(introduced, bundles.BORIS), "discover", 10)[0]
    assert (first.product, first.kind, first.because) == (3, "alike", (4,))  # tea-3 has no description
    found = {
        item.product: item for item in recommend(introduced, row(introduced, bundles.ANNA), "discover", 10)
    }
    # Of her coffees the second is described with the cosine 0.6, the first with 0.
    assert (found[3].kind, found[3].because) == ("alike", (1,))
    assert {item.kind for product, item in found.items() if product != 3} == {"taste"}


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (3, [(4, 1.0), (5, 0.8), (1, 0.6)]),  # nobody has bought it
        (5, [(1, 0.96), (3, 0.8), (0, 0.6), (2, 0.6)]),  # two have; tea-1 goes with it
        (6, []),  # one has, and it has no description
    ],
)
def test_similar_to_what_few_have_bought_is_described_alike(
    bundle: Bundle, product: int, expected: list[tuple[int, float]]
) -> None:
    found = similar(bundle, product, 10)
    assert [(item.product, pytest.approx(item.score)) for item in found] == expected
    assert {(item.kind, item.because) for item in found} <= {("alike", (product,))}


def test_similar_to_what_many_have_bought_are_no_products_that_few_have(introduced: Bundle) -> None:
    found = similar(introduced, 4, 10)
    assert found == []  # tea-2 has two buyers, tea-3 one, `new` none
    popular = dataclasses.replace(introduced, popularity=np.full(7, 9, dtype=np.float32))
    assert {(item.product, item.kind) for item in similar(popular, 4, 10)} == {(p, "taste") for p in (3, 6)}


def test_what_goes_with_a_product_is_no_alternative_to_it(bundle: Bundle) -> None:
    """There is a rule from coffee-1 to coffee-3, and one to coffee-2, which is no complement."""
    assert [item.product for item in similar(bundle, 0, 10)] == [1]
    assert [item.product for item in similar(bundle, 2, 10)] == [1]
