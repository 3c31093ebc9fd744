"""Events change a customer's next answer: purchases, views, carts and dismissals, on the small bundle."""

import datetime as dt
from pathlib import Path
from typing import Any

import bundles
import numpy as np
import pytest
from clients import Client
from stores import client_for, open_changes

from serving.bundle.format import Bundle
from serving.live import events
from serving.live.changes import Changes
from serving.live.changeset import ChangeSet
from serving.live.events import Event
from serving.live.identity import pseudonym
from serving.recommend.fold_in import fold_in
from serving.recommend.lanes import LANES

pytestmark = pytest.mark.fast

ANNA = f"/v1/customers/{bundles.ANNA}"
UNKNOWN = f"/v1/customers/{bundles.UNKNOWN_CUSTOMER}"
LAST_DAY = dt.date(1970, 1, 1) + dt.timedelta(days=20_000)  # of the bundle's purchases


@pytest.fixture
def changes(tmp_path: Path) -> Changes:
    return open_changes(tmp_path)


@pytest.fixture
def client(bundle: Bundle, changes: Changes) -> Client:
    return client_for(bundle, changes)


def record(
    client: Client, kind: str, *products: str, customer: str = bundles.UNKNOWN_CUSTOMER, **more: Any
) -> None:
    body = [{"customer": customer, "product": product, "kind": kind} | more for product in products]
    answer = client.post("/v1/events", json=body)
    assert (answer.status_code, answer.json()["accepted"]) == (200, len(products))


def products(client: Client, path: str, lane: str = "for-you", **parameters: Any) -> list[str]:
    answer = client.get(
        f"{path}/recommendations", params={"lane": lane, "in_stock": False, **parameters}
    ).json()
    return [item["product"] for item in answer["items"]]


def test_a_purchase_moves_a_product_from_discover_to_buy_again_and_history(client: Client) -> None:
    assert products(client, ANNA, "discover") == ["coffee-3", "tea-1", "tea-2", "tea-3"]
    record(client, "purchase", "tea-2", customer=bundles.ANNA)
    assert set(products(client, ANNA, "discover")) == {"coffee-3", "tea-1", "tea-3"}
    assert set(products(client, ANNA, "buy-again")) == {"coffee-1", "coffee-2", "tea-2"}
    items = client.get(f"{ANNA}/history").json()["items"]
    today = str(dt.datetime.now(dt.UTC).date())
    assert [(item["product"], item["orders"], item["last_day"]) for item in items] == [
        ("tea-2", 1, today),
        ("coffee-1", 3, str(LAST_DAY)),
        ("coffee-2", 1, str(LAST_DAY)),
    ]
    assert (
        products(client, f"/v1/customers/{bundles.BORIS}", "discover")[0] == "tea-2"
    )  # for other customers nothing changes


def test_a_history_describes_its_products(client: Client) -> None:
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
    assert client.get(f"{UNKNOWN}/history").json() == {
        "model": {"version": "7"},
        "known": False,
        "items": [],
    }


def test_a_purchase_changes_scores_as_the_fold_in_formula_says(bundle: Bundle, client: Client) -> None:
    record(client, "purchase", "tea-1", "tea-1", customer=bundles.ANNA)
    products, orders = np.array([0, 1, 4]), np.array([3.0, 1, 2])
    expected = bundle.item_factors @ fold_in(bundle, products, orders)
    answer = client.get(f"{ANNA}/recommendations", params={"in_stock": False}).json()
    scores = {item["product"]: item["score"] for item in answer["items"]}
    assert scores == pytest.approx(
        {name: float(expected[row]) for row, name in enumerate(bundles.PRODUCTS) if name != "new"}, rel=1e-4
    )
    reasons = {item["product"]: item["reason"] for item in answer["items"]}
    assert reasons["tea-1"]["kind"] == "repurchase"
    assert reasons["tea-2"] == {"kind": "taste", "because": [{"product": "tea-1", "name": "Tea one"}]}


def test_an_unknown_customer_gets_a_personal_answer_after_one_purchase(client: Client) -> None:
    assert products(client, UNKNOWN)[0] == "tea-1"  # trending
    record(client, "purchase", "coffee-2")
    answer = client.get(f"{UNKNOWN}/recommendations", params={"lane": "discover"}).json()
    assert answer["known"] is True
    assert answer["items"][0]["product"] == "coffee-1"
    assert answer["items"][0]["reason"]["because"] == [{"product": "coffee-2", "name": "Кофе два"}]
    assert products(client, UNKNOWN, "buy-again") == ["coffee-2"]


@pytest.mark.parametrize("kind", ["view", "cart"])
def test_a_view_or_cart_gives_a_personal_answer_and_no_history(client: Client, kind: str) -> None:
    record(client, kind, "coffee-3")
    answer = client.get(f"{UNKNOWN}/recommendations").json()
    assert (answer["known"], answer["items"][0]["product"]) == (True, "coffee-1")
    assert answer["items"][0]["reason"] == {
        "kind": "taste",
        "because": [],
    }  # only purchases are named in reasons
    assert products(client, UNKNOWN, "buy-again") == []
    assert client.get(f"{UNKNOWN}/history").json()["items"] == []


def test_the_settings_weigh_kinds_of_events(bundle: Bundle, tmp_path: Path) -> None:
    scores = []
    for number, weight in enumerate((0.1, 2)):
        client = client_for(bundle, open_changes(tmp_path / str(number), view_weight=weight))
        record(client, "view", "coffee-3")
        answer = client.get(f"{UNKNOWN}/recommendations", params={"n": 1}).json()
        scores.append(answer["items"][0]["score"])
    assert scores[0] < scores[1]


def test_a_dismissed_product_is_hidden_from_that_customer_in_every_lane(client: Client) -> None:
    record(client, "dismissed", "coffee-1", "tea-1", customer=bundles.ANNA)
    record(client, "dismissed", "tea-1")
    assert not any({"coffee-1", "tea-1"} & set(products(client, ANNA, lane)) for lane in LANES)
    answer = client.get(f"{UNKNOWN}/recommendations").json()
    assert (answer["known"], answer["items"][0]["product"]) == (False, "tea-2")
    assert products(client, f"/v1/customers/{bundles.BORIS}")[0] == "tea-1"
    legacy = client.post("/reco", json={"user_id": bundles.ANNA}).json()
    assert "coffee-1" not in [item["item_id"] for item in legacy]


def test_a_purchase_that_the_bundle_holds_is_counted_once(client: Client) -> None:
    before = client.get(f"{ANNA}/recommendations").json()
    record(client, "purchase", "coffee-1", customer=bundles.ANNA, time=f"{LAST_DAY}T10:00:00Z")
    assert client.get(f"{ANNA}/recommendations").json() == before
    next_day = LAST_DAY + dt.timedelta(days=1)
    record(client, "purchase", "coffee-1", customer=bundles.ANNA, time=f"{next_day}T10:00:00+00:00")
    first = client.get(f"{ANNA}/history").json()["items"][0]
    assert (first["product"], first["orders"], first["last_day"]) == ("coffee-1", 4, str(next_day))


def test_a_product_s_first_buyer_gets_it_in_buy_again(client: Client) -> None:
    record(client, "purchase", "new", customer=bundles.ANNA)
    assert "new" in products(client, ANNA, "buy-again")
    assert "new" not in products(client, f"/v1/customers/{bundles.BORIS}")


def test_an_event_of_a_missing_product_is_kept_for_a_later_bundle(client: Client, changes: Changes) -> None:
    record(client, "purchase", "next-season")
    assert client.get(f"{UNKNOWN}/recommendations").json()["known"] is False
    assert [event.product for event in changes.events(pseudonym(bundles.UNKNOWN_CUSTOMER, bundles.KEY))] == [
        "next-season"
    ]


def test_accepts_one_event_or_a_list_and_stores_each_id_once(client: Client) -> None:
    event = {"customer": bundles.ANNA, "product": "tea-1", "kind": "purchase", "id": "order 17, line 1"}
    for body in (event, [event, event], [event, event | {"id": "order 17, line 2"}]):
        assert client.post("/v1/events", json=body).status_code == 200
    first = client.get(f"{ANNA}/history").json()["items"][0]
    assert (first["product"], first["orders"]) == ("tea-1", 2)


def test_the_store_holds_no_id_of_the_shop_s_customers(client: Client, tmp_path: Path) -> None:
    record(client, "purchase", "tea-1", id="79055455709-17")
    client.delete(f"/v1/customers/{bundles.ANNA}")
    content = b"".join(file.read_bytes() for file in (tmp_path / ".nightshelf").iterdir())
    assert pseudonym(bundles.UNKNOWN_CUSTOMER, bundles.KEY).encode() in content
    assert b"9055455709" not in content
    assert b"9165396205" not in content


SOON = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()


@pytest.mark.parametrize(
    ("invalid", "field"),
    [
        ({"kind": "theft"}, "kind"),
        ({"product": ""}, "product"),
        ({"product": None}, "product"),
        ({"product": "tea-1\0"}, "product"),  # PostgreSQL can't store NUL
        ({"time": SOON}, "time"),
        ({"time": "1999-12-31T00:00:00Z"}, "time"),
        ({"time": "2026-01-31T10:00:00"}, "time"),  # no time zone
        ({"time": 1e18}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"id": ""}, "id"),
        ({"customer": ["x"]}, "customer"),
        ({"shop": 3}, "shop"),
    ],
)
def test_rejects_the_whole_list_for_one_invalid_event(
    client: Client, invalid: dict[str, Any], field: str
) -> None:
    valid = {"customer": bundles.UNKNOWN_CUSTOMER, "product": "tea-1", "kind": "view"}
    answer = client.post("/v1/events", json=[valid, valid | invalid])
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, f"events.1.{field}")
    assert bundles.UNKNOWN_CUSTOMER not in answer.text
    assert client.get(f"{UNKNOWN}/recommendations").json()["known"] is False


@pytest.mark.parametrize("body", ["[1]", "3", '"x"', "null", "{}", "{", "[[]]"])
def test_rejects_a_body_that_is_no_event(client: Client, body: str) -> None:
    assert client.post("/v1/events", content=body).status_code == 400


def test_accepts_at_most_a_thousand_events_at_once(client: Client) -> None:
    event = {"customer": bundles.ANNA, "product": "tea-1", "kind": "view"}
    assert client.post("/v1/events", json=[event] * 1000).json()["accepted"] == 1000
    answer = client.post("/v1/events", json=[event] * 1001)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "events")


# forgotten customers


def test_a_forgotten_customer_is_unknown_at_once_and_can_return_as_a_new_one(
    bundle: Bundle, client: Client, tmp_path: Path
) -> None:
    record(client, "purchase", "tea-2", customer=bundles.ANNA)
    answer = client.delete(f"/v1/customers/{bundles.ANNA}").json()
    assert answer == {"model": {"version": "7"}, "forgotten": True, "events": 1}
    for worker in (client, client_for(bundle, open_changes(tmp_path))):
        answer = worker.get(f"{ANNA}/recommendations").json()
        assert (answer["known"], answer["items"][0]["reason"]["kind"]) == (False, "trending")
        assert worker.get(f"{ANNA}/history").json()["known"] is False
    record(client, "purchase", "tea-3", customer=bundles.ANNA)
    items = client.get(f"{ANNA}/history").json()["items"]
    assert [(item["product"], item["orders"]) for item in items] == [("tea-3", 1)]


def test_a_bundle_fitted_after_the_erasure_knows_the_customer_again(bundle: Bundle, changes: Changes) -> None:
    anna = pseudonym(bundles.ANNA, bundles.KEY)
    changes.forget(anna)
    forgotten_at = changes.state.forgotten[anna]
    assert changes.apply_to(bundle).customer(anna) is None
    for until, is_known in ((forgotten_at - 1, False), (forgotten_at, True)):
        later = bundles.small()
        later.manifest["forgotten_until"] = until
        assert (changes.apply_to(later).customer(anna) is not None) is is_known


def test_a_late_event_from_before_the_erasure_is_ignored(changes: Changes) -> None:
    anna = pseudonym(bundles.ANNA, bundles.KEY)
    events.add(changes.store, [Event(anna, "tea-1", "view", at) for at in (5, 7)])
    changes.state = ChangeSet(1, forgotten={anna: 5})
    assert [event.at for event in changes.events(anna)] == [7]
