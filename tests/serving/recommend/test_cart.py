"""Recommendations for a cart, computed by hand over the small bundle, and for many customers at once."""

import asyncio
from dataclasses import replace
from math import log2
from typing import Any

import bundles
import httpx
import numpy as np
import pytest
import random_bundles
from clients import Client

from serving.bundle.format import Bundle, texts
from serving.http.routes import create_app
from serving.live.served import Served, ServingState
from serving.recommend.cart import Cart, cart_ranking
from serving.recommend.lanes import LANES
from serving.recommend.recommender import rankings, recommend

pytestmark = pytest.mark.fast

ROUTE = "/v1/cart/recommendations"
MANY = "/v1/recommendations"
ANNA = "/v1/customers/+7(916)539-6205/recommendations"


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["product"] for item in answer["items"]]


def recommended(client: Client, **body: Any) -> dict[str, Any]:
    response = client.post(ROUTE, json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_fuses_rules_taste_and_trend_for_an_anonymous_cart(client: Client) -> None:
    """For coffee-1, the rules list coffee-3, tea-1, and the taste lists coffee-2, coffee-3."""
    answer = recommended(client, cart=["coffee-1"], in_stock=False)
    # coffee-3 is first by rules and second by taste; coffee-2 first by taste; tea-1 second by rules.
    assert ids(answer)[:3] == ["coffee-3", "coffee-2", "tea-1"]
    scores = [item["score"] for item in answer["items"]]
    assert scores[:3] == pytest.approx([1 + 1 / log2(3), 1, 1 / log2(3)], abs=2e-3)
    assert ids(answer)[3:] == ["tea-2", "tea-3"]  # by the trend, far behind
    assert max(scores[3:]) <= 0.001
    assert (answer["known"], answer["unknown"]) == (False, [])


def test_each_item_has_its_reason(client: Client) -> None:
    items = {
        item["product"]: item for item in recommended(client, cart=["coffee-1"], in_stock=False)["items"]
    }
    coffee = [{"product": "coffee-1", "name": "Coffee one"}]
    assert items["coffee-3"]["reason"] == {"kind": "bought-together", "because": coffee}
    numbers = [items["coffee-3"][name] for name in ("confidence", "lift", "support", "count")]
    assert numbers == [0.5, 2, 0.25, 25]
    assert items["coffee-2"]["reason"] == {"kind": "taste", "because": coffee}
    assert items["tea-2"]["reason"] == {"kind": "trending", "because": []}
    assert "confidence" not in items["coffee-2"]


def test_a_viewed_product_counts_half_of_one_in_the_cart() -> None:
    cart = Cart.of([3, 1, 3], [2, 1])
    assert dict(zip(cart.products.tolist(), cart.orders.tolist(), strict=True)) == {2: 0.5, 1: 1, 3: 1}


def test_recommends_for_viewed_products_alone(client: Client) -> None:
    assert ids(recommended(client, viewed=["tea-1"]))[0] == "tea-2"


def test_lists_unknown_products_and_falls_back_to_the_trend(client: Client) -> None:
    trend = client.get(f"/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations").json()["items"]
    assert recommended(client)["items"] == trend
    answer = recommended(client, cart=["ship", "boat"], viewed=["ship"])
    assert (answer["items"], answer["unknown"]) == (trend, ["ship", "boat"])
    assert (
        recommended(client, cart=["coffee-1", "ship"])["items"]
        == recommended(client, cart=["coffee-1"])["items"]
    )
    grouped = recommended(client, group="France")
    assert (grouped["group"], ids(grouped)[0]) == ("France", "tea-3")


def test_a_known_customers_cart_uses_the_lane_too(client: Client) -> None:
    answer = recommended(client, customer="79165396205", cart=["tea-1"])
    assert answer["known"] is True
    kinds = {item["product"]: item["reason"]["kind"] for item in answer["items"]}
    assert kinds["coffee-1"] == "repurchase"
    assert kinds["tea-2"] == "bought-together"
    assert "tea-1" not in kinds
    discover = recommended(client, customer="79165396205", cart=["tea-1"], lane="discover")
    assert not {"coffee-1", "coffee-2"} & set(ids(discover))
    empty = recommended(client, customer="79165396205")
    assert empty["items"] == client.get(ANNA).json()["items"]


def test_filters_apply_to_a_cart(client: Client) -> None:
    assert ids(recommended(client, cart=["coffee-1"], category="coffee")) == ["coffee-2"]
    assert ids(recommended(client, cart=["coffee-1"], max_price=4.5)) == ["tea-2"]
    assert ids(recommended(client, cart=["coffee-1"], exclude=["tea-2"], brand="Acme")) == [
        "tea-1",
        "coffee-2",
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"cart": ["x"] * 101}, "cart"),
        ({"viewed": [["x"]]}, "viewed"),
        ({"cart": None}, "cart"),
        ({"shown": [1]}, "shown"),
        ({"exclude": {}}, "exclude"),
        ({"colour": "red"}, "colour"),
        ({"customer": {}}, "customer"),
    ],
)
def test_returns_400_for_an_invalid_cart(client: Client, body: dict[str, Any], field: str) -> None:
    response = client.post(ROUTE, json=body)
    assert (response.status_code, response.json()["error"]["field"]) == (400, field)


def test_returns_n_distinct_allowed_items_outside_the_cart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bundle = random_bundles.draw(rng)
    for customer in (None, *range(5)):
        chosen = rng.choice(len(bundle.products), rng.integers(1, 40), replace=False).tolist()
        allowed = rng.random(len(bundle.products)) < 0.5
        items = cart_ranking(bundle, Cart.of(chosen[1:], chosen[:1]), customer, "for-you")(60, allowed)
        products = [item.product for item in items]
        assert len(set(products)) == len(products) == 60
        assert not set(products) & set(chosen)
        assert allowed[products].all() and not bundle.hidden[products].any()
        assert [item.score for item in items] == sorted((item.score for item in items), reverse=True)
        for item in items:
            assert item.rule is None or set(item.because) <= set(chosen)
            assert item.kind != "repurchase" or customer is not None


def test_many_customers_get_the_same_items_as_alone(bundle: Bundle, client: Client) -> None:
    customers = ["79165396205", bundles.UNKNOWN_CUSTOMER, bundles.BORIS, "79165396205"]
    for options in ({}, {"lane": "discover", "n": 2}, {"category": "tea", "group": "France"}):
        together = client.post(MANY, json={"customers": customers, **options}).json()
        assert len(together["customers"]) == len(customers)
        for customer, result in zip(customers, together["customers"], strict=True):
            alone = client.get(f"/v1/customers/{customer}/recommendations", params=options).json()
            assert result == {name: alone[name] for name in ("known", "group", "items")}
        assert "7916" not in str(together)


def test_many_random_customers_get_the_same_items_as_alone(seed: int) -> None:
    bundle = random_bundles.draw(np.random.default_rng(seed), customers=150)
    client = Client(create_app(ServingState(Served("1", bundle)), ""))
    customers = [customer.decode() for customer in bundle.customers]
    for lane in LANES:
        for customer, ranking in enumerate(rankings(bundle, list(range(len(customers))), lane)):
            together = [(item.product, item.kind, item.because) for item in ranking(10, None)]
            alone = recommend(bundle, customer, lane, 10)
            assert together == [(item.product, item.kind, item.because) for item in alone]
    assert client.post(MANY, json={"customers": customers}).status_code == 200


@pytest.mark.parametrize("customers", [[], ["1"] * 1001, "1", [None], None])
def test_returns_400_for_too_many_or_no_customers(client: Client, customers: Any) -> None:
    response = client.post(MANY, json={"customers": customers})
    assert (response.status_code, response.json()["error"]["field"]) == (400, "customers")


def test_a_large_request_keeps_one_version_while_others_are_answered(seed: int) -> None:
    before = random_bundles.draw(np.random.default_rng(seed))
    after = replace(before, name=texts(["Another"] * len(before.products)))
    live = ServingState(Served("1", before))
    transport = httpx.ASGITransport(create_app(live, ""))

    async def responses() -> tuple[httpx.Response, list[str]]:
        async with httpx.AsyncClient(transport=transport, base_url="http://shelf") as client:
            many = asyncio.create_task(client.post(MANY, json={"customers": ["1", "2", "3"] * 100}))
            versions = []
            while not many.done():
                await asyncio.sleep(0)  # lets the large request start
                popular = await client.get("/v1/popular")
                versions.append(popular.json()["model"]["version"])
                live.served = Served("2", after)
            return await many, versions

    many, versions = asyncio.run(responses())
    assert versions[0] == "1"
    assert versions.count("2") >= 5
    assert many.json()["model"] == {"version": "1"}
    assert len(many.json()["customers"]) == 300
    assert "Another" not in many.text
