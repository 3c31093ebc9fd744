"""Re-ranking by hand arithmetic, and what must be true of it whatever the scores are."""

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
from serving.recommend.recommender import LANES, Lane, recommend, scores
from serving.recommend.rerank import POOL, Variety, cap_categories, penalise_shown, reweighted

ANNA = "/v1/customers/+7(916)539-6205/recommendations"
STRANGER = f"/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations"

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
    values = np.array([-1, -5, -2, -np.inf, -9], np.float32)  # ranks 1, 3, 2 and, behind the ranked ones, 4
    found = reweighted(values, np.array([0, 2, 1]), np.array([1.0, 2, 1.5, 99, 99]))
    assert found.tolist() == pytest.approx([1, 2 / log2(4), 1.5 / log2(3), -np.inf, -9])
    assert order(found) == [0, 1, 2, 4]  # in the order of their place, for the second and the third are equal
    assert order(reweighted(values, np.array([0, 2, 1]), np.array([1.0, 2.1, 1.5, 99, 99]))) == [1, 0, 2, 4]


def test_what_is_not_among_the_ranked_stays_behind_them() -> None:
    values = np.array([5.0, 4, 3, 2, 1])
    found = reweighted(values, np.array([0, 1]), np.array([1.0, 1, 1000, 1, 1000]))
    assert order(found) == [0, 1, 2, 3, 4]


@given(scored, st.floats(0.01, 100))
def test_the_same_weight_for_all_is_no_change(found: Numbers, weight: float) -> None:
    values = np.array(found, np.float32)
    assert order(reweighted(values, top_n(values, POOL), np.full(len(values), weight))) == order(values)


@given(scored, st.data())
def test_more_weight_never_puts_a_product_further_behind(found: Numbers, data: st.DataObject) -> None:
    values = np.array(found, np.float32)
    weight = np.array(
        data.draw(st.lists(st.floats(0.1, 10), min_size=len(values), max_size=len(values))), np.float64
    )
    if not (before := order(reweighted(values, top_n(values, POOL), weight))):
        return
    one = data.draw(st.sampled_from(before))
    weight[one] *= data.draw(st.floats(1, 5))
    after = order(reweighted(values, top_n(values, POOL), weight))
    assert sorted(after) == sorted(before)
    assert after.index(one) <= before.index(one)


def heavy(bundle: Bundle, strength: float) -> Bundle:
    """Tea weighs sixteen times what coffee does."""
    weight = np.array([1, 1, 1, 1, 16, 16, 16], np.float32)
    return dataclasses.replace(bundle, weight=weight, manifest=bundle.manifest | {"strength": strength})


def test_a_strength_of_the_bundle_reranks_its_lanes_and_no_component(bundle: Bundle) -> None:
    anna = bundle.customer(bundles.pseudonym(bundles.ANNA, bundles.KEY))
    assert anna is not None
    # Ranks 1 to 6 are coffees 0, 1, 2, teas 4, 5, 6: the teas have 2 / log2(5), 2 / log2(6), 2 / log2(7).
    strong = heavy(bundle, 0.25)
    values = scores(strong, np.array([anna]), "for-you")[0]
    gains = [1, 1 / log2(3), 1 / log2(4), 2 / log2(5), 2 / log2(6), 2 / log2(7)]
    assert values[[0, 1, 2, 4, 5, 6]].tolist() == pytest.approx(gains)
    assert [item.product for item in recommend(strong, anna, "for-you", 6)] == [0, 4, 5, 6, 1, 2]
    plain = scores(bundle, np.array([anna]), "for-you", "als")
    np.testing.assert_array_equal(scores(strong, np.array([anna]), "for-you", "als"), plain)


def test_only_products_that_may_be_answered_have_a_rank(bundle: Bundle) -> None:
    anna = bundle.customer(bundles.pseudonym(bundles.ANNA, bundles.KEY))
    allowed = np.array([False, True, False, False, True, False, False])
    items = recommend(heavy(bundle, 0.1), anna, "for-you", 6, allowed)
    assert [(item.product, item.score) for item in items] == [
        (1, 1),
        (4, pytest.approx(16**0.1 / log2(3))),
    ]


@pytest.mark.parametrize("lane", LANES)
def test_without_a_strength_every_answer_is_bit_for_bit_the_same(bundle: Bundle, lane: Lane) -> None:
    customers = np.arange(2)
    for other in (heavy(bundle, 0.0), dataclasses.replace(bundle, manifest=heavy(bundle, 0).manifest)):
        found, before = (scores(one, customers, lane) for one in (other, bundle))
        assert found.dtype == before.dtype == np.float32
        assert found.tobytes() == before.tobytes()
        for customer in (None, 0, 1):
            assert recommend(other, customer, lane, 10) == recommend(bundle, customer, lane, 10)
            same = recommend(other, customer, lane, 10, variety=Variety(per_category=10, shown=()))
            assert same == recommend(bundle, customer, lane, 10)


# by what was shown


def test_what_was_shown_keeps_half_of_its_gain() -> None:
    values = np.array([9.0, 8, 7, 6])  # gains 1, 0.63, 0.5, 0.43
    assert order(penalise_shown(values, top_n(values, POOL), (0,))) == [
        1,
        0,
        2,
        3,
    ]  # a half equals the third
    assert order(penalise_shown(values, top_n(values, POOL), (1, 1))) == [0, 2, 3, 1]
    assert order(penalise_shown(values, top_n(values, POOL), (0, 1, 2, 3))) == [0, 1, 2, 3]


def test_a_new_page_may_be_wholly_new() -> None:
    values = np.arange(1000.0, 0, -1)
    shown = tuple(range(100))
    assert set(order(penalise_shown(values, top_n(values, POOL), shown))[:10]) != set(range(10))
    assert len(set(order(penalise_shown(values, top_n(values, POOL), shown))) & set(range(POOL))) == POOL


# by category


def test_places_freed_by_the_cap_go_to_the_next_ones() -> None:
    category = np.array([1, 1, 1, 2, NO_LABEL, 1, NO_LABEL])
    ranked = np.array([0, 1, 2, 5, 4, 6, 3])
    assert cap_categories(ranked, category, 2).tolist() == [0, 1, 4, 6, 3, 2, 5]
    assert cap_categories(ranked, category, 7).tolist() == ranked.tolist()


@given(scored, st.integers(1, 5), st.integers(1, 50), st.data())
def test_n_come_back_and_the_cap_holds_while_there_are_others(
    found: Numbers, most: int, n: int, data: st.DataObject
) -> None:
    values = np.array(found, np.float32)
    numbers = st.integers(NO_LABEL, 4)
    category = np.array(data.draw(st.lists(numbers, min_size=len(values), max_size=len(values))))
    ranked = top_n(values, len(values))
    answered = cap_categories(ranked, category, most)[:n]
    assert len(set(answered.tolist())) == len(answered) == min(n, len(ranked))
    filed = category[ranked][category[ranked] != NO_LABEL]
    free = np.count_nonzero(category[ranked] == NO_LABEL) + sum(
        min(most, count) for count in np.bincount(filed, minlength=1)
    )
    counts = np.bincount(category[answered[:free]][category[answered[:free]] != NO_LABEL], minlength=1)
    assert counts.max() <= most
    place = {product: rank for rank, product in enumerate(ranked.tolist())}
    for part in (answered[:free], answered[free:]):
        assert [place[product] for product in part.tolist()] == sorted(place[p] for p in part.tolist())


# over HTTP


def test_a_cap_is_asked_for_or_set(bundle: Bundle, client: Client) -> None:
    assert ids(client.get(ANNA, params={"per_category": 1, "n": 2}).json()) == ["coffee-1", "tea-1"]
    assert ids(client.get(STRANGER, params={"per_category": 1, "n": 3}).json()) == [
        "tea-1",
        "coffee-1",
        "tea-2",  # nothing else is left
    ]
    shop = Client(create_app(ServingState(Served("7", bundle, per_category=1)), bundles.KEY))
    assert ids(shop.get(ANNA, params={"n": 2}).json()) == ["coffee-1", "tea-1"]
    assert ids(shop.get(ANNA, params={"n": 2, "per_category": 100}).json()) == ["coffee-1", "coffee-2"]
    users = shop.get("/users/+7 (916) 539-6205/recommendations").json()
    assert [item["goodsId"] for item in users] == ["coffee-1", "tea-1", "coffee-2"]


def test_what_was_shown_comes_later_and_still_comes(client: Client) -> None:
    # Ranks of what is in stock: coffee-1, coffee-2, tea-1, tea-2, tea-3; halved are the first two.
    answer = client.get(ANNA + "?shown=coffee-1,coffee-2&shown=never-heard-of").json()
    assert ids(answer) == ["coffee-1", "tea-1", "tea-2", "tea-3", "coffee-2"]
    assert ids(client.get(STRANGER + "?shown=tea-1,tea-1,tea-1").json())[:2] == ["tea-2", "coffee-1"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("per_category=0", "per_category"),
        ("per_category=101", "per_category"),
        ("per_category=tea", "per_category"),
        ("shown=" + ",".join(["coffee-1"] * 101), "shown"),
    ],
)
def test_a_wrong_wish_is_refused(client: Client, query: str, field: str) -> None:
    response = client.get(f"{ANNA}?{query}")
    assert (response.status_code, response.json()["error"]["field"]) == (400, field)
    assert "coffee-1" not in response.text


def test_a_hidden_product_is_in_no_list_and_stays_in_histories(bundle: Bundle) -> None:
    hidden = np.array([product in ("coffee-1", "tea-2") for product in bundles.PRODUCTS])
    client = Client(
        create_app(ServingState(Served("7", dataclasses.replace(bundle, hidden=hidden))), bundles.KEY)
    )
    every = "n=100&in_stock=false"
    paths = [f"{ANNA}?{every}&lane={lane}" for lane in LANES]
    paths += [f"{path}?{every}" for path in (STRANGER, "/v1/popular")] + [f"/v1/popular?{every}&days=28"]
    related = ("similar", "bought-together")
    paths += [f"/v1/products/{one}/{of}?{every}" for one in bundles.PRODUCTS for of in related]
    answers = [client.get(path).json() for path in paths]
    assert sum(len(answer["items"]) for answer in answers) > 20
    assert not {"coffee-1", "tea-2"} & {product for answer in answers for product in ids(answer)}
    assert client.get("/products/tea-1/associations").json() == []
    assert ids(answers[1]) == ["coffee-2"]  # she has bought coffee-1 too, and it is why taste says coffee-3
    taste = answers[2]["items"][0]
    assert (taste["product"], taste["reason"]["because"][0]["product"]) == ("coffee-3", "coffee-1")
