"""What goes with a cart, over the small bundle by arithmetic; many customers at once."""

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

ROUTE = "/v1/cart/recommendations"
MANY = "/v1/recommendations"
ANNA = "/v1/customers/+7(916)539-6205/recommendations"


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["product"] for item in answer["items"]]


def asked(client: Client, **body: Any) -> dict[str, Any]:
    answer = client.post(ROUTE, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_guests_cart_by_hand(client: Client) -> None:
    """Of what coffee-1 asks for: the rules say coffee-3, tea-1; the taste coffee-2, coffee-3."""
    answer = asked(client, cart=["coffee-1"], in_stock=False)
    # coffee-3: first of the rules, second of the taste; then first of the taste, second of the rules.
    assert ids(answer)[:3] == ["coffee-3", "coffee-2", "tea-1"]
    scores = [item["score"] for item in answer["items"]]
    assert scores[:3] == pytest.approx([1 + 1 / log2(3), 1, 1 / log2(3)], abs=2e-3)
    assert ids(answer)[3:] == ["tea-2", "tea-3"]  # by the trend, and far behind
    assert max(scores[3:]) <= 0.001
    assert (answer["known"], answer["unknown"]) == (False, [])


def test_each_reason_is_the_true_one(client: Client) -> None:
    items = {item["product"]: item for item in asked(client, cart=["coffee-1"], in_stock=False)["items"]}
    coffee = [{"product": "coffee-1", "name": "Coffee one"}]
    assert items["coffee-3"]["reason"] == {"kind": "bought-together", "because": coffee}
    numbers = [items["coffee-3"][name] for name in ("confidence", "lift", "support", "count")]
    assert numbers == [0.5, 2, 0.25, 25]
    assert items["coffee-2"]["reason"] == {"kind": "taste", "because": coffee}
    assert items["tea-2"]["reason"] == {"kind": "trending", "because": []}
    assert "confidence" not in items["coffee-2"]


def test_what_was_looked_at_counts_less_than_what_is_in_the_cart() -> None:
    cart = Cart.of([3, 1, 3], [2, 1])
    assert dict(zip(cart.products.tolist(), cart.orders.tolist(), strict=True)) == {2: 0.5, 1: 1, 3: 1}


def test_viewed_products_alone_are_answered(client: Client) -> None:
    assert ids(asked(client, viewed=["tea-1"]))[0] == "tea-2"


def test_what_is_unknown_is_told_and_nothing_known_answers_the_trend(client: Client) -> None:
    trend = client.get(f"/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations").json()["items"]
    assert asked(client)["items"] == trend
    answer = asked(client, cart=["ship", "boat"], viewed=["ship"])
    assert (answer["items"], answer["unknown"]) == (trend, ["ship", "boat"])
    assert asked(client, cart=["coffee-1", "ship"])["items"] == asked(client, cart=["coffee-1"])["items"]
    grouped = asked(client, group="France")
    assert (grouped["group"], ids(grouped)[0]) == ("France", "tea-3")


def test_a_known_customer_with_a_cart(client: Client) -> None:
    answer = asked(client, customer="79165396205", cart=["tea-1"])
    assert answer["known"] is True
    kinds = {item["product"]: item["reason"]["kind"] for item in answer["items"]}
    assert kinds["coffee-1"] == "repurchase"
    assert kinds["tea-2"] == "bought-together"
    assert "tea-1" not in kinds
    discover = asked(client, customer="79165396205", cart=["tea-1"], lane="discover")
    assert not {"coffee-1", "coffee-2"} & set(ids(discover))
    empty = asked(client, customer="79165396205")
    assert empty["items"] == client.get(ANNA).json()["items"]


def test_filters_hold_for_a_cart(client: Client) -> None:
    assert ids(asked(client, cart=["coffee-1"], category="coffee")) == ["coffee-2"]
    assert ids(asked(client, cart=["coffee-1"], max_price=4.5)) == ["tea-2"]
    assert ids(asked(client, cart=["coffee-1"], exclude=["tea-2"], brand="Acme")) == ["tea-1", "coffee-2"]


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
def test_a_wrong_cart_is_refused(client: Client, body: dict[str, Any], field: str) -> None:
    response = client.post(ROUTE, json=body)
    assert (response.status_code, response.json()["error"]["field"]) == (400, field)


def test_always_n_items_once_each_and_none_of_the_cart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bundle = random_bundles.draw(rng)
    for customer in (None, *range(5)):
        held = rng.choice(len(bundle.products), rng.integers(1, 40), replace=False).tolist()
        allowed = rng.random(len(bundle.products)) < 0.5
        items = cart_ranking(bundle, Cart.of(held[1:], held[:1]), customer, "for-you")(60, allowed)
        products = [item.product for item in items]
        assert len(set(products)) == len(products) == 60
        assert not set(products) & set(held)
        assert allowed[products].all() and not bundle.hidden[products].any()
        assert [item.score for item in items] == sorted((item.score for item in items), reverse=True)
        for item in items:
            assert item.rule is None or set(item.because) <= set(held)
            assert item.kind != "repurchase" or customer is not None


def test_many_customers_get_what_each_gets(bundle: Bundle, client: Client) -> None:
    customers = ["79165396205", bundles.UNKNOWN_CUSTOMER, bundles.BORIS, "79165396205"]
    for options in ({}, {"lane": "discover", "n": 2}, {"category": "tea", "group": "France"}):
        answer = client.post(MANY, json={"customers": customers, **options}).json()
        assert len(answer["customers"]) == len(customers)
        for customer, one in zip(customers, answer["customers"], strict=True):
            alone = client.get(f"/v1/customers/{customer}/recommendations", params=options).json()
            assert one == {name: alone[name] for name in ("known", "group", "items")}
        assert "7916" not in str(answer)


def test_many_drawn_customers_get_what_each_gets(seed: int) -> None:
    bundle = random_bundles.draw(np.random.default_rng(seed), customers=150)
    client = Client(create_app(ServingState(Served("1", bundle)), ""))
    whole = [one.decode() for one in bundle.customers]
    from serving.recommend.recommender import LANES, rankings, recommend

    for lane in LANES:
        together = rankings(bundle, list(range(len(whole))), lane)
        for customer, ranking in enumerate(together):
            found = [(item.product, item.kind, item.because) for item in ranking(10, None)]
            alone = recommend(bundle, customer, lane, 10)
            assert found == [(item.product, item.kind, item.because) for item in alone]
    assert client.post(MANY, json={"customers": whole}).status_code == 200


@pytest.mark.parametrize("customers", [[], ["1"] * 1001, "1", [None], None])
def test_too_many_or_none_are_refused(client: Client, customers: Any) -> None:
    response = client.post(MANY, json={"customers": customers})
    assert (response.status_code, response.json()["error"]["field"]) == (400, "customers")


def test_others_are_answered_while_many_are_worked_out_for_one_version(seed: int) -> None:
    before = random_bundles.draw(np.random.default_rng(seed))
    after = replace(before, name=texts(["Another"] * len(before.products)))
    live = ServingState(Served("1", before))
    transport = httpx.ASGITransport(create_app(live, ""))

    async def answered() -> tuple[httpx.Response, list[str]]:
        async with httpx.AsyncClient(transport=transport, base_url="http://shelf") as client:
            many = asyncio.create_task(client.post(MANY, json={"customers": ["1", "2", "3"] * 100}))
            versions = []
            while not many.done():
                await asyncio.sleep(0)  # in one process nothing else lets it begin
                answer = await client.get("/v1/popular")
                versions.append(answer.json()["model"]["version"])
                live.served = Served("2", after)
            return await many, versions

    many, versions = asyncio.run(answered())
    assert versions[0] == "1"
    assert versions.count("2") >= 5
    assert many.json()["model"] == {"version": "1"}
    assert len(many.json()["customers"]) == 300
    assert "Another" not in many.text
