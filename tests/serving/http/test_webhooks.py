"""Webhooks through the real application: signatures, versions of an order, and what is refused."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import bundles
import pytest
from clients import Client
from documented import DocumentedClient
from pydantic import SecretStr
from starlette.responses import PlainTextResponse
from stores import open_changes

from serving.access.guard import Guard
from serving.access.rate import RateLimiter
from serving.bundle.format import Bundle
from serving.edge import Edge
from serving.http.routes import create_app
from serving.http.webhooks import Webhooks
from serving.live import events, orders
from serving.live.changes import Changes
from serving.live.identity import pseudonym
from serving.live.served import Served, ServingState
from serving.settings import ServingSettings

SECRET = "a shared secret"
PERSON = "Anna-3"
PRODUCT, OTHER = "coffee-1", "tea-1"


@pytest.fixture
def changes(tmp_path: Path) -> Changes:
    return open_changes(tmp_path)


@pytest.fixture
def shop(bundle: Bundle, changes: Changes) -> "Shop":
    return Shop(bundle, changes)


class Shop:
    """A shop that sends its orders to the application."""

    def __init__(self, bundle: Bundle | None, changes: Changes, rate: float = 0, **given: Any) -> None:
        secrets = {
            f"webhook_secret_{name}": SecretStr(SECRET) for name in ("woocommerce", "shopify", "medusa")
        }
        settings = ServingSettings(**(secrets | given))
        self.state = state = ServingState(Served("7", bundle) if bundle else None, changes=changes)
        self.changes = changes
        limiter = RateLimiter(rate) if rate else None
        self.app = create_app(state, bundles.KEY, webhooks=Webhooks(settings, limiter))
        self.client: Client = DocumentedClient(self.app)

    def send(self, name: str, order: Any, topic: str | None = None, **headers: str) -> Any:
        body = order if isinstance(order, bytes) else json.dumps(order).encode()
        options = {"content": body, "headers": signed(name, body, topic) | headers}
        return self.client.post(f"/v1/orders/{name}", **options)

    def stored(self) -> list[Any]:
        return [row for rows in orders.with_lines(self.changes.store) for row in rows]

    def bought(self) -> set[str]:
        history = self.client.get(f"/v1/customers/{PERSON}/history").json()
        return {item["product"] for item in history["items"]}


def test_an_order_before_the_first_model_counts_once_a_model_is_live(
    bundle: Bundle, changes: Changes
) -> None:
    shop = Shop(None, changes)
    answer = shop.send("woocommerce", woocommerce())
    assert (answer.status_code, answer.json()) == (200, {"model": None, "order": "stored"})
    assert shop.client.get("/v1/popular").status_code == 503
    assert (
        shop.send("woocommerce", woocommerce((OTHER,)), **{"X-WC-Webhook-Signature": "no"}).status_code == 401
    )
    shop.state.served = Served("7", bundle)
    assert shop.bought() >= {PRODUCT}


def signed(name: str, body: bytes, topic: str | None = None) -> dict[str, str]:
    """Returns the headers with which a shop signs a body."""
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
    encoded = base64.b64encode(digest).decode()
    if name == "woocommerce":
        return {"X-WC-Webhook-Signature": encoded, "X-WC-Webhook-Topic": topic or "order.updated"}
    if name == "shopify":
        return {"X-Shopify-Hmac-Sha256": encoded, "X-Shopify-Topic": topic or "orders/updated"}
    return {"X-Nightshelf-Signature": digest.hex()}


def test_a_full_store_refuses_orders_so_that_the_shop_sends_them_again(
    bundle: Bundle, tmp_path: Path
) -> None:
    shop = Shop(bundle, open_changes(tmp_path, event_limit=3))
    assert shop.send("woocommerce", woocommerce((PRODUCT, OTHER))).json()["order"] == "stored"
    refused = shop.send("woocommerce", woocommerce((PRODUCT,), id=728))
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_full")
    assert [row.order_id for row in shop.stored()] == ["727"]
    cancelled = woocommerce(modified="2026-09-21T11:00:00") | {"status": "cancelled"}
    assert shop.send("woocommerce", cancelled).json()["order"] == "removed"


def woocommerce(
    products: tuple[str, ...] = (PRODUCT,), modified: str = "2026-09-21T10:00:00", **more: Any
) -> Any:
    lines = [
        {"id": 1, "sku": "S", "product_id": product, "variation_id": 0, "quantity": 2, "price": 9.5}
        for product in products
    ]
    times = {"date_created_gmt": "2026-09-21T09:00:00", "date_modified_gmt": modified}
    person = {"customer_id": PERSON, "billing": {"email": "anna@shop.example", "phone": "1"}}
    return {"id": 727, "status": "processing", "line_items": lines} | times | person | more


def shopify(
    products: tuple[str, ...] = (PRODUCT,), modified: str = "2026-09-21T10:00:00Z", **more: Any
) -> Any:
    lines = [
        {"sku": "S", "product_id": product, "variant_id": 1, "quantity": 2, "price": "9.50"}
        for product in products
    ]
    times = {"created_at": "2026-09-21T11:00:00+02:00", "updated_at": modified, "cancelled_at": None}
    return (
        {
            "id": 727,
            "email": "anna@shop.example",
            "customer": {"id": PERSON},
            "financial_status": "paid",
            "test": False,
            "line_items": lines,
        }
        | times
        | more
    )


def medusa(
    products: tuple[str, ...] = (PRODUCT,), modified: str = "2026-09-21T10:00:00.000Z", **more: Any
) -> Any:
    lines = [{"variant_sku": product, "quantity": 2, "unit_price": 9.5} for product in products]
    times = {"created_at": "2026-09-21T09:00:00.000Z", "updated_at": modified}
    return (
        {"id": "727", "email": PERSON, "status": "pending", "payment_status": "captured", "items": lines}
        | times
        | more
    )


SHOPS = {"woocommerce": woocommerce, "shopify": shopify, "medusa": medusa}
CANCELLED = {
    "woocommerce": {"status": "cancelled"},
    "shopify": {"cancelled_at": "2026-09-22T10:00:00Z"},
    "medusa": {"status": "canceled"},
}
UNPAID = {
    "woocommerce": {"status": "pending"},
    "shopify": {"financial_status": "pending"},
    "medusa": {"payment_status": "not_paid"},
}
each_shop = pytest.mark.parametrize("name", SHOPS)


@each_shop
def test_an_unpaid_order_counts_once_it_is_paid(shop: Shop, name: str) -> None:
    assert shop.send(name, SHOPS[name](**UNPAID[name])).json()["order"] != "stored"
    assert [order for order in shop.stored() if json.loads(order.lines)] == []
    assert shop.send(name, SHOPS[name]()).json()["order"] == "stored"  # at the same time of change


@each_shop
def test_an_order_is_stored_once_and_at_once_a_purchase(shop: Shop, name: str) -> None:
    for outcome in ("stored", "unchanged"):
        response = shop.send(name, SHOPS[name]())
        assert (response.status_code, response.json()["order"]) == (200, outcome)
    (order,) = shop.stored()
    assert (order.profile, order.order_id, json.loads(order.lines)) == (name, "727", [[PRODUCT, 2.0, 9.5]])
    assert order.customer == pseudonym(PERSON, bundles.KEY)
    assert order.at == 1_789_981_200_000_000
    assert shop.bought() == {PRODUCT}
    assert shop.client.get(f"/v1/customers/{PERSON}/recommendations").json()["known"]


@each_shop
def test_a_changed_order_replaces_the_earlier_version(shop: Shop, name: str) -> None:
    make, later, latest = SHOPS[name], "2026-09-22T10:00:00", "2026-09-23T10:00:00"
    zone = "" if name == "woocommerce" else "Z"
    shop.send(name, make((PRODUCT, OTHER)))
    assert shop.send(name, make((OTHER,), later + zone)).json()["order"] == "stored"
    assert shop.bought() == {OTHER}
    assert (
        shop.send(name, make((PRODUCT, OTHER))).json()["order"] == "unchanged"
    )  # an older version arrives late
    assert shop.bought() == {OTHER}
    assert shop.send(name, make((OTHER,), latest + zone, **CANCELLED[name])).json()["order"] == "removed"
    assert (shop.bought(), shop.stored()) == (set(), [])
    assert shop.send(name, make((OTHER,), later + zone)).json()["order"] == "unchanged"
    assert shop.stored() == []


@each_shop
@pytest.mark.parametrize(
    "signature", ["", "AAAA", "zz", "é", "0" * 64, "other secret", "other body", "other encoding"]
)
def test_a_wrong_signature_is_refused(shop: Shop, name: str, signature: str) -> None:
    body = json.dumps(SHOPS[name]()).encode()
    (header, right), *_ = signed(name, body).items()
    other = hmac.new(b"other", body, hashlib.sha256)
    wrong = {
        "other secret": other.hexdigest() if name == "medusa" else base64.b64encode(other.digest()).decode(),
        "other body": next(iter(signed(name, body + b" ").values())),
        "other encoding": base64.b64decode(right).hex()
        if name != "medusa"
        else base64.b64encode(bytes.fromhex(right)).decode(),
    }.get(signature, signature)
    response = shop.client.post(f"/v1/orders/{name}", content=body, headers={header: wrong.encode("latin-1")})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")
    assert SECRET not in response.text
    assert shop.stored() == []


@pytest.mark.parametrize("name", [*SHOPS, "vendure", "Shopify", ""])
def test_nothing_is_accepted_without_a_secret(bundle: Bundle, changes: Changes, name: str) -> None:
    empty = dict.fromkeys((f"webhook_secret_{known}" for known in SHOPS), SecretStr(""))
    shop = Shop(bundle, changes, **empty)
    body = b"{}"
    digest = hmac.new(b"", body, hashlib.sha256)
    headers = {
        "X-WC-Webhook-Signature": base64.b64encode(digest.digest()).decode(),
        "X-Nightshelf-Signature": digest.hexdigest(),
    }
    assert shop.client.post(f"/v1/orders/{name}", content=body, headers=headers).status_code == 404
    assert Client(shop.app).post(f"/v1/orders/{name}", content=b"webhook_id=3").status_code == 404


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (b"", None),
        (b"{", None),
        (b"[" * 100_000, None),
        (b"\xff\xfe", None),
        (b"[]", None),
        (b"null", None),
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"id": {"a": 1}}, "id"),
        ({"id": "a\0b"}, "id"),
        ({"date_created_gmt": None}, "date_created_gmt"),
        ({"date_created_gmt": "soon"}, "date_created_gmt"),
        ({"date_created_gmt": 5}, "date_created_gmt"),
        ({"date_created_gmt": "0001-01-01T00:00:00+23:00"}, "date_created_gmt"),
        ({"line_items": None}, "line_items"),
        ({"line_items": {"sku": "x"}}, "line_items"),
    ],
)
def test_a_malformed_order_is_named(shop: Shop, broken: Any, field: str | None) -> None:
    response = shop.send("woocommerce", broken if isinstance(broken, bytes) else woocommerce() | broken)
    assert (response.status_code, response.json()["error"]["field"]) == (422, field)
    assert shop.stored() == []


@pytest.mark.parametrize(
    "lines",
    [
        [None, 3, "text", [], {}],
        [{"product_id": PRODUCT, "quantity": 0, "price": 1}],
        [{"product_id": PRODUCT, "quantity": "none", "price": 1}],
        [{"product_id": PRODUCT, "quantity": 1e400, "price": 1}],
        [{"product_id": "x" * 300, "quantity": 1, "price": 1}],
    ],
)
def test_lines_that_are_no_purchases_are_left_out(shop: Shop, lines: list[Any]) -> None:
    assert shop.send("woocommerce", woocommerce(line_items=lines)).json()["order"] == "removed"
    assert shop.bought() == set()


def test_pieces_that_were_taken_back_are_no_purchases(shop: Shop) -> None:
    lines = [
        {"product_id": PRODUCT, "quantity": 2, "current_quantity": 0, "price": "1"},
        {"product_id": OTHER, "quantity": 3, "current_quantity": 1, "price": "1"},
    ]
    shop.send("shopify", shopify(line_items=lines))
    assert [json.loads(row.lines) for row in shop.stored()] == [[[OTHER, 1.0, 1.0]]]


@pytest.mark.parametrize("guest", ["", None, "guest", "0", 0])
def test_a_guest_is_nobody(shop: Shop, guest: Any) -> None:
    assert shop.send("woocommerce", woocommerce(customer_id=guest)).json()["order"] == "stored"
    assert [row.customer for row in shop.stored()] == [None]
    assert not events.customers(shop.changes.store)


@pytest.mark.parametrize(
    ("name", "topic", "order", "outcome"),
    [
        ("woocommerce", "order.deleted", {"id": 727}, "removed"),
        ("woocommerce", "product.updated", {"id": 727}, "ignored"),
        ("woocommerce", "order.restored", woocommerce(modified="2026-09-21T11:00:00"), "stored"),
        ("shopify", "orders/delete", {"id": 727}, "removed"),
        ("shopify", "refunds/create", {"id": 5, "order_id": 727}, "ignored"),
        ("shopify", "orders/paid", shopify(modified="2026-09-21T11:00:00Z"), "stored"),
    ],
)
def test_the_topic_decides(shop: Shop, name: str, topic: str, order: Any, outcome: str) -> None:
    shop.send(name, SHOPS[name]())
    assert shop.send(name, order, topic).json()["order"] == outcome
    assert len(shop.stored()) == (outcome != "removed")


@pytest.mark.parametrize(("name", "topic"), [("woocommerce", "order.deleted"), ("shopify", "orders/delete")])
def test_an_order_sent_again_as_a_deletion_deletes_nothing(shop: Shop, name: str, topic: str) -> None:
    shop.send(name, SHOPS[name]())
    assert shop.send(name, SHOPS[name](), topic).json()["order"] == "unchanged"
    assert len(shop.stored()) == 1


def test_the_ping_of_woocommerce_is_answered(shop: Shop) -> None:
    client = Client(shop.app)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/v1/orders/woocommerce", content=b"webhook_id=3", headers=headers).status_code == 200
    assert client.post("/v1/orders/shopify", content=b"webhook_id=3", headers=headers).status_code == 401
    assert client.post("/v1/orders/woocommerce", content=b"webhook_id=3&id=1").status_code == 401


def test_a_forgotten_customers_orders_are_erased_and_stay_so(shop: Shop) -> None:
    shop.send("woocommerce", woocommerce())
    customer = pseudonym(PERSON, bundles.KEY)
    assert events.count(shop.changes.store, customer) == 2
    assert shop.client.delete(f"/v1/customers/{PERSON}").status_code == 200
    shop.send("woocommerce", woocommerce(modified="2026-09-25T10:00:00"))
    assert (shop.stored(), events.count(shop.changes.store, customer)) == ([], 0)


def test_webhooks_are_limited_per_profile_and_only_signed_ones_count(
    bundle: Bundle, changes: Changes
) -> None:
    shop = Shop(bundle, changes, rate=1)
    statuses = [
        shop.send("woocommerce", woocommerce(), **{"X-WC-Webhook-Signature": "AA"}).status_code
        for _ in range(3)
    ]
    assert statuses == [401] * 3
    statuses = [shop.send("woocommerce", woocommerce()).status_code for _ in range(3)]
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert shop.send("shopify", shopify()).status_code == 200


def test_behind_the_edge_a_signature_stands_for_a_key_and_the_body_is_limited(
    shop: Shop, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text("")  # every other route needs a key
    guard = Guard(tmp_path / "keys", 0)
    settings = ServingSettings(body_limit=2000)
    client = Client(Edge(shop.app, PlainTextResponse("BentoML"), shop.app.routes, guard, settings))
    body = json.dumps(woocommerce()).encode()
    assert (
        client.post("/v1/orders/woocommerce", content=body, headers=signed("woocommerce", body)).status_code
        == 200
    )
    large = json.dumps(woocommerce(note="x" * 2000)).encode()
    assert (
        client.post("/v1/orders/woocommerce", content=large, headers=signed("woocommerce", large)).status_code
        == 413
    )
    assert client.get("/v1/model").status_code == 401
