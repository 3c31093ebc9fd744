"""Re-ranking, computed by hand, and its properties for any scores."""

import dataclasses
from math import log2
from typing import Any

import bundles
import numpy as np
import pytest
from clients import Client
from hypothesis import given
from hypothesis import strategies as st

from serving.bundle.format import Array, Bundle
from serving.bundle.highest import top_n
from serving.bundle.labels import NO_LABEL
from serving.http.routes import create_app
from serving.live.served import Served, ServingState
from serving.recommend.lanes import LANES, Lane
from serving.recommend.recommender import recommend, scores
from serving.recommend.rerank import POOL, Variety, cap_categories, penalise_shown, reweighted

pytestmark = pytest.mark.fast

ANNA = "/v1/customers/+7(916)539-6205/recommendations"
UNKNOWN = f"/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations"

Numbers = list[float]
scored = st.lists(
    st.one_of(st.floats(-1e6, 1e6, width=32), st.integers(-2, 2).map(float), st.just(-np.inf)),
    min_size=1,
    max_size=40,
)


def order(values: Array) -> list[int]:
    return top_n(values, len(values)).tolist()


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["product"] for item in answer["items"]]


# by weight


def test_the_gain_of_a_rank_is_multiplied_by_the_weight() -> None:
    values = np.array(
        [-1, -5, -2, -np.inf, -9], np.float32
    )  # ranks 1, 3, 2, and 4 behind the ranked products
    scores_by_weight = reweighted(values, np.array([0, 2, 1]), np.array([1.0, 2, 1.5, 99, 99]))
    assert scores_by_weight.tolist() == pytest.approx([1, 2 / log2(4), 1.5 / log2(3), -np.inf, -9])
    assert order(scores_by_weight) == [
        0,
        1,
        2,
        4,
    ]  # the second and the third are equal, so their index decides
    assert order(reweighted(values, np.array([0, 2, 1]), np.array([1.0, 2.1, 1.5, 99, 99]))) == [1, 0, 2, 4]


def test_products_that_are_not_ranked_stay_behind() -> None:
    values = np.array([5.0, 4, 3, 2, 1])
    scores_by_weight = reweighted(values, np.array([0, 1]), np.array([1.0, 1, 1000, 1, 1000]))
    assert order(scores_by_weight) == [0, 1, 2, 3, 4]


@given(scored, st.floats(0.01, 100))
def test_equal_weights_change_nothing(numbers: Numbers, weight: float) -> None:
    values = np.array(numbers, np.float32)
    assert order(reweighted(values, top_n(values, POOL), np.full(len(values), weight))) == order(values)


@given(scored, st.data())
def test_more_weight_never_lowers_a_product(numbers: Numbers, data: st.DataObject) -> None:
    values = np.array(numbers, np.float32)
    weight = np.array(
        data.draw(st.lists(st.floats(0.1, 10), min_size=len(values), max_size=len(values))), np.float64
    )
    if not (before := order(reweighted(values, top_n(values, POOL), weight))):
        return
    product = data.draw(st.sampled_from(before))
    weight[product] *= data.draw(st.floats(1, 5))
    after = order(reweighted(values, top_n(values, POOL), weight))
    assert sorted(after) == sorted(before)
    assert after.index(product) <= before.index(product)


def heavy(bundle: Bundle, strength: float) -> Bundle:
    """Returns the bundle with a strength, where tea weighs sixteen times as much as coffee."""
    weight = np.array([1, 1, 1, 1, 16, 16, 16], np.float32)
    return dataclasses.replace(bundle, weight=weight, manifest=bundle.manifest | {"strength": strength})


def test_a_strength_reranks_lanes_and_no_single_component(bundle: Bundle) -> None:
    anna = bundle.customer(bundles.pseudonym(bundles.ANNA, bundles.KEY))
    assert anna is not None
    # Ranks 1 to 6 are the coffees 0, 1, 2 and the teas 4, 5, 6, whose gains are doubled.
    strong = heavy(bundle, 0.25)
    values = scores(strong, np.array([anna]), "for-you")[0]
    gains = [1, 1 / log2(3), 1 / log2(4), 2 / log2(5), 2 / log2(6), 2 / log2(7)]
    assert values[[0, 1, 2, 4, 5, 6]].tolist() == pytest.approx(gains)
    assert [item.product for item in recommend(strong, anna, "for-you", 6)] == [0, 4, 5, 6, 1, 2]
    plain = scores(bundle, np.array([anna]), "for-you", "als")
    np.testing.assert_array_equal(scores(strong, np.array([anna]), "for-you", "als"), plain)


def test_only_allowed_products_have_a_rank(bundle: Bundle) -> None:
    anna = bundle.customer(bundles.pseudonym(bundles.ANNA, bundles.KEY))
    allowed = np.array([False, True, False, False, True, False, False])
    items = recommend(heavy(bundle, 0.1), anna, "for-you", 6, allowed)
    assert [(item.product, item.score) for item in items] == [
        (1, 1),
        (4, pytest.approx(16**0.1 / log2(3))),
    ]


@pytest.mark.parametrize("lane", LANES)
def test_a_strength_of_zero_changes_no_bit(bundle: Bundle, lane: Lane) -> None:
    customers = np.arange(2)
    for other in (heavy(bundle, 0.0), dataclasses.replace(bundle, manifest=heavy(bundle, 0).manifest)):
        values, before = (scores(each, customers, lane) for each in (other, bundle))
        assert values.dtype == before.dtype == np.float32
        assert values.tobytes() == before.tobytes()
        for customer in (None, 0, 1):
            assert recommend(other, customer, lane, 10) == recommend(bundle, customer, lane, 10)
            same = recommend(other, customer, lane, 10, variety=Variety(per_category=10, shown=()))
            assert same == recommend(bundle, customer, lane, 10)


# products shown before


def test_a_shown_product_keeps_half_of_its_gain() -> None:
    values = np.array([9.0, 8, 7, 6])  # gains 1, 0.63, 0.5, 0.43
    assert order(penalise_shown(values, top_n(values, POOL), (0,))) == [
        1,
        0,
        2,
        3,
    ]  # half of the first gain equals the third
    assert order(penalise_shown(values, top_n(values, POOL), (1, 1))) == [0, 2, 3, 1]
    assert order(penalise_shown(values, top_n(values, POOL), (0, 1, 2, 3))) == [0, 1, 2, 3]


def test_shown_products_make_room_for_others() -> None:
    values = np.arange(1000.0, 0, -1)
    shown = tuple(range(100))
    assert set(order(penalise_shown(values, top_n(values, POOL), shown))[:10]) != set(range(10))
    assert len(set(order(penalise_shown(values, top_n(values, POOL), shown))) & set(range(POOL))) == POOL


# category cap


def test_the_cap_moves_later_products_up() -> None:
    category = np.array([1, 1, 1, 2, NO_LABEL, 1, NO_LABEL])
    ranked = np.array([0, 1, 2, 5, 4, 6, 3])
    assert cap_categories(ranked, category, 2).tolist() == [0, 1, 4, 6, 3, 2, 5]
    assert cap_categories(ranked, category, 7).tolist() == ranked.tolist()


@given(scored, st.integers(1, 5), st.integers(1, 50), st.data())
def test_the_cap_keeps_n_products_and_holds_while_others_remain(
    numbers: Numbers, most: int, n: int, data: st.DataObject
) -> None:
    values = np.array(numbers, np.float32)
    codes = st.integers(NO_LABEL, 4)
    category = np.array(data.draw(st.lists(codes, min_size=len(values), max_size=len(values))))
    ranked = top_n(values, len(values))
    capped = cap_categories(ranked, category, most)[:n]
    assert len(set(capped.tolist())) == len(capped) == min(n, len(ranked))
    labelled = category[ranked][category[ranked] != NO_LABEL]
    free = np.count_nonzero(category[ranked] == NO_LABEL) + sum(
        min(most, count) for count in np.bincount(labelled, minlength=1)
    )
    counts = np.bincount(category[capped[:free]][category[capped[:free]] != NO_LABEL], minlength=1)
    assert counts.max() <= most
    rank_of = {product: rank for rank, product in enumerate(ranked.tolist())}
    for part in (capped[:free], capped[free:]):
        assert [rank_of[product] for product in part.tolist()] == sorted(rank_of[p] for p in part.tolist())


# over HTTP


def test_the_category_cap_comes_from_the_request_or_the_settings(bundle: Bundle, client: Client) -> None:
    assert ids(client.get(ANNA, params={"per_category": 1, "n": 2}).json()) == ["coffee-1", "tea-1"]
    assert ids(client.get(UNKNOWN, params={"per_category": 1, "n": 3}).json()) == [
        "tea-1",
        "coffee-1",
        "tea-2",  # only teas are left
    ]
    shop = Client(create_app(ServingState(Served("7", bundle, per_category=1)), bundles.KEY))
    assert ids(shop.get(ANNA, params={"n": 2}).json()) == ["coffee-1", "tea-1"]
    assert ids(shop.get(ANNA, params={"n": 2, "per_category": 100}).json()) == ["coffee-1", "coffee-2"]
    users = shop.get("/users/+7 (916) 539-6205/recommendations").json()
    assert [item["goodsId"] for item in users] == ["coffee-1", "tea-1", "coffee-2"]


def test_shown_products_come_later_but_stay(client: Client) -> None:
    # By rank: coffee-1, coffee-2, tea-1, tea-2, tea-3. The gains of the first two are halved.
    answer = client.get(ANNA + "?shown=coffee-1,coffee-2&shown=never-heard-of").json()
    assert ids(answer) == ["coffee-1", "tea-1", "tea-2", "tea-3", "coffee-2"]
    assert ids(client.get(UNKNOWN + "?shown=tea-1,tea-1,tea-1").json())[:2] == ["tea-2", "coffee-1"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("per_category=0", "per_category"),
        ("per_category=101", "per_category"),
        ("per_category=tea", "per_category"),
        ("shown=" + ",".join(["coffee-1"] * 101), "shown"),
    ],
)
def test_returns_400_for_an_invalid_variety(client: Client, query: str, field: str) -> None:
    response = client.get(f"{ANNA}?{query}")
    assert (response.status_code, response.json()["error"]["field"]) == (400, field)
    assert "coffee-1" not in response.text


def test_a_hidden_product_is_in_no_list_but_stays_a_reason(bundle: Bundle) -> None:
    hidden = np.array([product in ("coffee-1", "tea-2") for product in bundles.PRODUCTS])
    client = Client(
        create_app(ServingState(Served("7", dataclasses.replace(bundle, hidden=hidden))), bundles.KEY)
    )
    every = "n=100&in_stock=false"
    paths = [f"{ANNA}?{every}&lane={lane}" for lane in LANES]
    paths += [f"{path}?{every}" for path in (UNKNOWN, "/v1/popular")] + [f"/v1/popular?{every}&days=28"]
    related = ("similar", "bought-together")
    paths += [f"/v1/products/{product}/{kind}?{every}" for product in bundles.PRODUCTS for kind in related]
    answers = [client.get(path).json() for path in paths]
    assert sum(len(answer["items"]) for answer in answers) > 20
    assert not {"coffee-1", "tea-2"} & {product for answer in answers for product in ids(answer)}
    assert client.get("/products/tea-1/associations").json() == []
    assert ids(answers[1]) == ["coffee-2"]  # she has bought coffee-1 too, and it is the reason for coffee-3
    taste = answers[2]["items"][0]
    assert (taste["product"], taste["reason"]["because"][0]["product"]) == ("coffee-3", "coffee-1")
