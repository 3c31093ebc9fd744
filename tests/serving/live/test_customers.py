"""A customer's next answer after purchases, views, carts and dismissals, over the small bundle."""

import datetime as dt
from pathlib import Path
from typing import Any

import bundles
import numpy as np
import pytest
from clients import Client
from stores import changes, shop

from serving.bundle.format import Bundle
from serving.live.changes import Changes, State
from serving.live.identity import pseudonym
from serving.live.store import Event
from serving.recommend.fold_in import fold_in
from serving.recommend.recommender import LANES

ANNA = f"/v1/customers/{bundles.ANNA}"
NEWCOMER = f"/v1/customers/{bundles.STRANGER}"
LAST_DAY = dt.date(1970, 1, 1) + dt.timedelta(days=20_000)  # of the bundle's purchases


@pytest.fixture
def known(tmp_path: Path) -> Changes:
    return changes(tmp_path)


@pytest.fixture
def client(bundle: Bundle, known: Changes) -> Client:
    return shop(bundle, known)


def did(client: Client, kind: str, *products: str, customer: str = bundles.STRANGER, **more: Any) -> None:
    body = [{"customer": customer, "product": product, "kind": kind} | more for product in products]
    answer = client.post("/v1/events", json=body)
    assert (answer.status_code, answer.json()["accepted"]) == (200, len(products))


def lane(client: Client, path: str, name: str = "for-you", **asked: Any) -> list[str]:
    answer = client.get(f"{path}/recommendations", params={"lane": name, "in_stock": False, **asked}).json()
    return [item["product"] for item in answer["items"]]


def test_what_was_just_bought_is_bought(client: Client) -> None:
    assert lane(client, ANNA, "discover") == ["coffee-3", "tea-1", "tea-2", "tea-3"]
    did(client, "purchase", "tea-2", customer=bundles.ANNA)
    assert set(lane(client, ANNA, "discover")) == {"coffee-3", "tea-1", "tea-3"}
    assert set(lane(client, ANNA, "buy-again")) == {"coffee-1", "coffee-2", "tea-2"}
    items = client.get(f"{ANNA}/history").json()["items"]
    today = str(dt.datetime.now(dt.UTC).date())
    assert [(item["product"], item["orders"], item["last_day"]) for item in items] == [
        ("tea-2", 1, today),
        ("coffee-1", 3, str(LAST_DAY)),
        ("coffee-2", 1, str(LAST_DAY)),
    ]
    assert lane(client, f"/v1/customers/{bundles.BORIS}", "discover")[0] == "tea-2"  # nobody else's


def test_a_history_tells_the_products(client: Client) -> None:
    answer = client.get(f"{ANNA}/history", params={"n": 1}).json()
    assert answer == {
        "model": {"version": "7"},
        "known": True,
        "items": [
            {
                "product": "coffee-1",
                "name": "Coffee one",
                "category": "coffee",
                "brand": "Acme",
                "price": 9.5,
                "in_stock": True,
                "orders": 3,
                "last_day": str(LAST_DAY),
            }
        ],
    }
    assert client.get(f"{NEWCOMER}/history").json() == {
        "model": {"version": "7"},
        "known": False,
        "items": [],
    }


def test_a_purchase_moves_the_taste_as_the_closed_form_says(bundle: Bundle, client: Client) -> None:
    did(client, "purchase", "tea-1", "tea-1", customer=bundles.ANNA)
    products, orders = np.array([0, 1, 4]), np.array([3.0, 1, 2])
    expected = bundle.item_factors @ fold_in(bundle, products, orders)
    answer = client.get(f"{ANNA}/recommendations", params={"in_stock": False}).json()
    found = {item["product"]: item["score"] for item in answer["items"]}
    assert found == pytest.approx(
        {name: float(expected[row]) for row, name in enumerate(bundles.PRODUCTS) if name != "new"}, rel=1e-4
    )
    reasons = {item["product"]: item["reason"] for item in answer["items"]}
    assert reasons["tea-1"]["kind"] == "repurchase"
    assert reasons["tea-2"] == {"kind": "taste", "because": [{"product": "tea-1", "name": "Tea one"}]}


def test_a_newcomer_with_one_purchase_gets_a_personal_answer(client: Client) -> None:
    assert lane(client, NEWCOMER)[0] == "tea-1"  # what trends
    did(client, "purchase", "coffee-2")
    answer = client.get(f"{NEWCOMER}/recommendations", params={"lane": "discover"}).json()
    assert answer["known"] is True
    assert answer["items"][0]["product"] == "coffee-1"
    assert answer["items"][0]["reason"]["because"] == [{"product": "coffee-2", "name": "Кофе два"}]
    assert lane(client, NEWCOMER, "buy-again") == ["coffee-2"]


@pytest.mark.parametrize("kind", ["view", "cart"])
def test_who_has_only_looked_gets_a_personal_answer_and_has_bought_nothing(client: Client, kind: str) -> None:
    did(client, kind, "coffee-3")
    answer = client.get(f"{NEWCOMER}/recommendations").json()
    assert (answer["known"], answer["items"][0]["product"]) == (True, "coffee-1")
    assert answer["items"][0]["reason"] == {"kind": "taste", "because": []}  # it was no purchase
    assert lane(client, NEWCOMER, "buy-again") == []
    assert client.get(f"{NEWCOMER}/history").json()["items"] == []


def test_kinds_weigh_as_they_are_set(bundle: Bundle, tmp_path: Path) -> None:
    scores = []
    for number, weight in enumerate((0.1, 2)):
        client = shop(bundle, changes(tmp_path / str(number), view_weight=weight))
        did(client, "view", "coffee-3")
        answer = client.get(f"{NEWCOMER}/recommendations", params={"n": 1}).json()
        scores.append(answer["items"][0]["score"])
    assert scores[0] < scores[1]


def test_what_was_dismissed_is_shown_to_that_customer_in_no_lane(client: Client) -> None:
    did(client, "dismissed", "coffee-1", "tea-1", customer=bundles.ANNA)
    did(client, "dismissed", "tea-1")
    assert not any({"coffee-1", "tea-1"} & set(lane(client, ANNA, name)) for name in LANES)
    answer = client.get(f"{NEWCOMER}/recommendations").json()
    assert (answer["known"], answer["items"][0]["product"]) == (False, "tea-2")
    assert lane(client, f"/v1/customers/{bundles.BORIS}")[0] == "tea-1"
    older = client.post("/reco", json={"user_id": bundles.ANNA}).json()
    assert "coffee-1" not in [item["item_id"] for item in older]


def test_a_purchase_that_the_bundle_holds_is_not_counted_again(client: Client) -> None:
    before = client.get(f"{ANNA}/recommendations").json()
    did(client, "purchase", "coffee-1", customer=bundles.ANNA, time=f"{LAST_DAY}T10:00:00Z")
    assert client.get(f"{ANNA}/recommendations").json() == before
    next_day = LAST_DAY + dt.timedelta(days=1)
    did(client, "purchase", "coffee-1", customer=bundles.ANNA, time=f"{next_day}T10:00:00+00:00")
    first = client.get(f"{ANNA}/history").json()["items"][0]
    assert (first["product"], first["orders"], first["last_day"]) == ("coffee-1", 4, str(next_day))


def test_the_first_buyer_of_a_product_can_buy_it_again(client: Client) -> None:
    did(client, "purchase", "new", customer=bundles.ANNA)
    assert "new" in lane(client, ANNA, "buy-again")
    assert "new" not in lane(client, f"/v1/customers/{bundles.BORIS}")


def test_products_that_no_bundle_knows_yet_are_kept_for_one_that_does(client: Client, known: Changes) -> None:
    did(client, "purchase", "next-season")
    assert client.get(f"{NEWCOMER}/recommendations").json()["known"] is False
    assert [event.product for event in known.events(pseudonym(bundles.STRANGER, bundles.KEY))] == [
        "next-season"
    ]


def test_one_event_or_a_list_each_once(client: Client) -> None:
    one = {"customer": bundles.ANNA, "product": "tea-1", "kind": "purchase", "id": "order 17, line 1"}
    for body in (one, [one, one], [one, one | {"id": "order 17, line 2"}]):
        assert client.post("/v1/events", json=body).status_code == 200
    first = client.get(f"{ANNA}/history").json()["items"][0]
    assert (first["product"], first["orders"]) == ("tea-1", 2)


def test_the_store_holds_no_id_of_the_shops_customers(client: Client, tmp_path: Path) -> None:
    did(client, "purchase", "tea-1", id="79055455709-17")
    client.delete(f"/v1/customers/{bundles.ANNA}")
    held = b"".join(file.read_bytes() for file in (tmp_path / ".nightshelf").iterdir())
    assert pseudonym(bundles.STRANGER, bundles.KEY).encode() in held
    assert b"9055455709" not in held
    assert b"9165396205" not in held


SOON = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"kind": "theft"}, "kind"),
        ({"product": ""}, "product"),
        ({"product": None}, "product"),
        ({"product": "tea-1\0"}, "product"),  # PostgreSQL keeps no such text
        ({"time": SOON}, "time"),
        ({"time": "1999-12-31T00:00:00Z"}, "time"),
        ({"time": "2026-01-31T10:00:00"}, "time"),  # of which zone?
        ({"time": 1e18}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"id": ""}, "id"),
        ({"customer": ["x"]}, "customer"),
        ({"shop": 3}, "shop"),
    ],
)
def test_a_wrong_event_is_refused_with_all_that_came_with_it(
    client: Client, wrong: dict[str, Any], field: str
) -> None:
    good = {"customer": bundles.STRANGER, "product": "tea-1", "kind": "view"}
    answer = client.post("/v1/events", json=[good, good | wrong])
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, f"events.1.{field}")
    assert bundles.STRANGER not in answer.text
    assert client.get(f"{NEWCOMER}/recommendations").json()["known"] is False


@pytest.mark.parametrize("body", ["[1]", "3", '"x"', "null", "{}", "{", "[[]]"])
def test_what_is_no_event_is_refused(client: Client, body: str) -> None:
    assert client.post("/v1/events", content=body).status_code == 400


def test_a_thousand_at_once_and_no_more(client: Client) -> None:
    one = {"customer": bundles.ANNA, "product": "tea-1", "kind": "view"}
    assert client.post("/v1/events", json=[one] * 1000).json()["accepted"] == 1000
    answer = client.post("/v1/events", json=[one] * 1001)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "events")


# forgetting


def test_the_forgotten_are_strangers_at_once_and_new_persons_afterwards(
    bundle: Bundle, client: Client, tmp_path: Path
) -> None:
    did(client, "purchase", "tea-2", customer=bundles.ANNA)
    answer = client.delete(f"/v1/customers/{bundles.ANNA}").json()
    assert answer == {"model": {"version": "7"}, "forgotten": True, "events": 1}
    for one in (client, shop(bundle, changes(tmp_path))):
        answer = one.get(f"{ANNA}/recommendations").json()
        assert (answer["known"], answer["items"][0]["reason"]["kind"]) == (False, "trending")
        assert one.get(f"{ANNA}/history").json()["known"] is False
    did(client, "purchase", "tea-3", customer=bundles.ANNA)
    items = client.get(f"{ANNA}/history").json()["items"]
    assert [(item["product"], item["orders"]) for item in items] == [("tea-3", 1)]


def test_a_bundle_that_learned_after_the_forgetting_knows_the_new_person(
    bundle: Bundle, known: Changes
) -> None:
    anna = pseudonym(bundles.ANNA, bundles.KEY)
    known.forget(anna)
    at = known.state.forgotten[anna]
    assert known.over(bundle).customer(anna) is None
    for until, is_known in ((at - 1, False), (at, True)):
        later = bundles.small()
        later.manifest["forgotten_until"] = until
        assert (known.over(later).customer(anna) is not None) is is_known


def test_an_event_from_before_a_forgetting_that_comes_late_is_none(known: Changes) -> None:
    anna = pseudonym(bundles.ANNA, bundles.KEY)
    known.store.add([Event(anna, "tea-1", "view", at) for at in (5, 7)])
    known.state = State(1, forgotten={anna: 5})
    assert [event.at for event in known.events(anna)] == [7]
