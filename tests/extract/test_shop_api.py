"""Source `shop-api` over real HTTP: correct responses and every kind of failure."""

import asyncio
import datetime as dt
import json
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pyarrow as pa
import pytest
from ports import free_port
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from worlds import received

from pipelines import columns as c
from pipelines.demo.api import app
from pipelines.demo.dirt import Dirt
from pipelines.demo.regions import REGIONS
from pipelines.demo.shop import Shop
from pipelines.extract import pulls, raw
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.extract.shop_api import ShopApiSource
from pipelines.extract.staging import RAW_ORDERS, Staging
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError, TransientError

SHOP = Shop(start=dt.date(2026, 9, 1), seed=7, customers=300, products=200, orders_per_day=40)
DAYS = 10
TODAY = SHOP.start + dt.timedelta(days=DAYS)
PASSWORD = "secret: ümlaut"
PHONE = "+7(916)539-6205"


@pytest.fixture
def source(home, monkeypatch):
    """Returns a function from a shop's address and settings to the source that reads the shop."""

    def make(address, **overrides):
        values = {"SHOP_URL": address, "SHOP_USER": "shop", "SHOP_PASSWORD": PASSWORD}
        values |= {"SHOP_BACKOFF": 0, "SHOP_RATE": 10_000, **overrides}
        for name, value in values.items():
            monkeypatch.setenv(f"NIGHTSHELF_{name}", str(value))
        settings.cache_clear()
        return ShopApiSource(settings())

    return make


def demo():
    return app(SHOP, "shop", PASSWORD, lambda: TODAY)


def order(number, **changed):
    line = {"goodsId": "G1", "quantity": 1, "price": 9.5}
    return {"id": number, "createdAt": "2026-09-01T10:00:00Z", "clientTel": PHONE, "basket": [line]} | changed


class Faulty:
    """A shop whose `respond(page, tries)` returns status and body; it counts requests by page."""

    def __init__(self, respond):
        self.respond, self.requests = respond, Counter()
        self.app = Starlette(routes=[Route("/orders", self.orders)])

    async def orders(self, request):
        page = int(request.query_params["page"])
        self.requests[page] += 1
        status, body = self.respond(page, self.requests[page])
        text = body if isinstance(body, str) else json.dumps(body)
        return Response(text, status, media_type="application/json")


def one_order_per_page(page, _):
    return 200, {"orders": [order(page)], "pageCount": 3}


def read(shop, progress=silent):
    """Returns all order lines of a shop, as staged."""
    staging = Staging(shop.name, {})
    shop.orders(None, staging, progress)
    return pa.concat_tables(staging.read())


def error_of(shop):
    """Returns the message of the error, which must be one line and must not quote personal data."""
    with pytest.raises(NightshelfError) as raised:
        read(shop)
    message = str(raised.value)
    assert "\n" not in message
    assert not {PHONE, "79165396205", PASSWORD} & set(message.split())
    assert "539" not in message
    assert "secret" not in message
    return message


@pytest.mark.parametrize(("page_size", "concurrency"), [(7, 8), (100, 1)])
def test_reads_every_order_of_the_demo_shop(source, serve, page_size, concurrency):
    listed = [entry for day in islice(SHOP.days(), DAYS) for entry in Dirt(SHOP).listing(day).orders]
    lines = [(str(entry["id"]), number) for entry in listed for number, _ in enumerate(entry["basket"])]
    steps = []
    shop = source(serve(demo()), SHOP_PAGE_SIZE=page_size, SHOP_CONCURRENCY=concurrency)
    rows = read(shop, lambda *step: steps.append(step))
    assert rows.schema == RAW_ORDERS
    assert list(zip(rows[c.ORDER_ID].to_pylist(), rows[c.LINE].to_pylist(), strict=True)) == lines
    assert set(rows[c.CUSTOMER].to_pylist()) == {entry["clientTel"] for entry in listed}
    assert set(rows[c.GROUP].to_pylist()) == {entry["region"] for entry in listed} == set(REGIONS)
    pages = -(-len(listed) // page_size)
    orders = len(listed)
    assert steps[0] == (1, pages, min(page_size, orders))
    assert steps[-1] == (pages, pages, orders)
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)
    assert set(rows[c.PAGE].to_pylist()) == set(range(1, pages + 1))


def test_reads_the_catalogue_of_the_demo_shop(source, serve):
    rows = source(serve(demo())).products()
    known = {product.id: product for product in SHOP.catalogue}
    assert rows.schema == RAW_PRODUCTS
    assert rows.num_rows == len(set(rows[c.PRODUCT].to_pylist())) > 150
    for row in rows.to_pylist():
        product = known[row[c.PRODUCT]]
        assert (row[c.NAME], row[c.BRAND], row[c.PRICE]) == (product.name, product.brand, product.price)


def test_a_wrong_password_fails_at_once_and_names_the_settings(source, serve):
    requests = []

    async def counting(scope, receive, send):
        requests.append(scope)
        await shop(scope, receive, send)

    shop = demo()
    message = error_of(source(serve(counting), SHOP_PASSWORD="wrong"))
    assert [scope["type"] for scope in requests].count("http") == 1
    for named in ("'shop'", "401", "NIGHTSHELF_SHOP_USER", "NIGHTSHELF_SHOP_PASSWORD"):
        assert named in message


@pytest.mark.parametrize(("status", "failing"), [(500, 1), (503, 2), (429, 2)])
def test_retries_a_transient_failure_and_loses_no_order(source, serve, status, failing):
    faulty = Faulty(
        lambda page, tries: (status, "busy") if (page, tries) == (failing, 1) else one_order_per_page(page, 0)
    )
    assert read(source(serve(faulty.app)))[c.ORDER_ID].to_pylist() == ["1", "2", "3"]
    healthy = Faulty(one_order_per_page)
    read(source(serve(healthy.app)))
    assert faulty.requests == healthy.requests + Counter({failing: 1})


@pytest.mark.parametrize(("status", "tries"), [(500, 2), (429, 2), (404, 1), (302, 1)])
def test_a_permanent_failure_names_path_page_and_status(source, serve, status, tries):
    faulty = Faulty(lambda page, _: (status, PHONE) if page == 3 else one_order_per_page(page, 0))
    message = error_of(source(serve(faulty.app), SHOP_TRIES=2))
    assert f"answered {status} for /orders page 3" in message
    assert faulty.requests[3] == tries


def test_retries_a_dropped_connection_and_then_names_the_shop(source, serve):
    requests = []

    async def dropping(scope, receive, send):
        if scope["type"] == "http":
            requests.append(scope)
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"99")]}
            )
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            raise ConnectionError

    address = serve(dropping)
    message = error_of(source(address, SHOP_TRIES=2))
    assert len(requests) == 2
    for named in (address, "/orders page 1", "2 tries", "NIGHTSHELF_SHOP_URL"):
        assert named in message


def test_an_unreachable_shop_is_named_with_its_setting(source):
    address = f"http://127.0.0.1:{free_port()}"
    message = error_of(source(address, SHOP_TRIES=1))
    for named in (address, "/orders page 1", "NIGHTSHELF_SHOP_URL"):
        assert named in message


def without(name, entry):
    return {key: value for key, value in entry.items() if key != name}


WRONG_SHAPES = {
    "pageCount": {"orders": [order(1)]},
    "orders": {"pageCount": 1, "order": [order(1)]},
    "orders.1.id": {"orders": [order(1), without("id", order(2))], "pageCount": 1},
    "orders.0.createdAt": {"orders": [without("createdAt", order(1))], "pageCount": 1},
    "orders.0.basket": {"orders": [without("basket", order(1))], "pageCount": 1},
    "orders.0.basket.0.goodsId": {"orders": [order(1, basket=[{"quantity": 1}])], "pageCount": 1},
    "orders.0.basket.0.quantity": {"orders": [order(1, basket=[{"goodsId": "G1"}])], "pageCount": 1},
    "orders.0.clientTel": {"orders": [order(1, clientTel=[PHONE])], "pageCount": 1},
}


@pytest.mark.parametrize("field", WRONG_SHAPES)
def test_a_response_that_breaks_the_contract_names_the_field_and_is_not_retried(source, serve, field):
    faulty = Faulty(lambda page, _: (200, WRONG_SHAPES[field]))
    message = error_of(source(serve(faulty.app)))
    assert "/orders page 1" in message
    assert f": {field}: " in message
    assert faulty.requests == {1: 1}


@pytest.mark.parametrize("body", [f"<html>{PHONE}</html>", '{"orders": [], "pageC'])
def test_retries_incomplete_json_and_then_names_the_page(source, serve, body):
    faulty = Faulty(lambda page, tries: (200, body))
    message = error_of(source(serve(faulty.app), SHOP_TRIES=2))
    assert "/orders page 1" in message
    assert "JSON, 2 times" in message
    assert faulty.requests == {1: 2}
    faulty = Faulty(lambda page, tries: (200, body) if tries == 1 else one_order_per_page(page, 0))
    assert read(source(serve(faulty.app)))[c.ORDER_ID].to_pylist() == ["1", "2", "3"]


def test_the_region_of_an_order_is_its_group_and_may_be_missing(source, serve):
    regions = {1: {"region": "North"}, 2: {"region": None}, 3: {}}
    faulty = Faulty(lambda page, _: (200, {"orders": [order(page, **regions[page])], "pageCount": 3}))
    assert read(source(serve(faulty.app)))[c.GROUP].to_pylist() == ["North", None, None]


def test_an_order_with_an_emptied_basket_replaces_its_earlier_version(source, serve):
    basket = [{"goodsId": "G1", "quantity": 1}]
    shop = Faulty(lambda page, _: (200, {"orders": [order(1, basket=basket), order(2)], "pageCount": 1}))
    shop.app.routes.append(Route("/goods", lambda _: JSONResponse({"goods": [], "pageCount": 1})))
    reader = source(serve(shop.app))
    assert pulls.pull(reader, TODAY, False, silent)["new_order_lines"] == 2
    basket.clear()
    assert pulls.pull(reader, TODAY, False, silent)["new_order_lines"] == 1
    assert [line[3] for line in received(reader)] == [None, "G1"]
    assert pulls.pull(reader, TODAY, False, silent)["new_order_lines"] == 0


def test_an_implausible_time_does_not_make_the_list_look_newest_first(source, serve):
    implausible = {1: "2099-01-01T00:00:00Z", 2: "n/a", 9: "2026-08-30T00:00:00Z"}

    def respond(page, _):
        orders = [
            order(n, createdAt=implausible.get(n, f"2026-09-0{n}T10:00:00Z"))
            for n in (2 * page - 1, 2 * page)
        ]
        return 200, {"orders": orders[: 1 if page == 5 else 2], "pageCount": 5}

    rows = read(source(serve(Faulty(respond).app)))
    assert sorted(rows[c.ORDER_ID].to_pylist(), key=int) == [str(n) for n in range(1, 10)]


def test_a_shop_that_lists_its_newest_orders_first_is_read(source, serve):
    faulty = Faulty(
        lambda page, _: (
            200,
            {
                "orders": [order(9 - page, createdAt=f"2026-09-0{9 - page}")] if page < 4 else [],
                "pageCount": 3,
            },
        )
    )
    assert sorted(read(source(serve(faulty.app)))[c.ORDER_ID].to_pylist()) == ["6", "7", "8"]


def test_orders_listed_twice_are_not_new_in_the_next_pull(source, serve):
    shop = source(serve(demo()), SHOP_PAGE_SIZE=7)
    assert pulls.pull(shop, TODAY, False, silent)["new_order_lines"] > 0
    assert pulls.pull(shop, TODAY, False, silent)["new_order_lines"] == 0


def test_staged_pages_of_another_page_size_are_discarded(source, serve):
    address = serve(demo())

    def killed(done, known, orders):
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pulls.pull(source(address, SHOP_PAGE_SIZE=20, SHOP_CONCURRENCY=1), TODAY, False, killed)
    shop = source(address, SHOP_PAGE_SIZE=7)
    pulls.pull(shop, TODAY, False, silent)
    listed = {
        str(entry["id"]) for day in islice(SHOP.days(), DAYS) for entry in Dirt(SHOP).listing(day).orders
    }
    assert {line[0] for line in received(shop)} == listed


def test_the_later_of_two_concurrent_runs_completes_the_pull(source, serve):
    """The later run takes over the pages that the first has read; the first fails and writes nothing."""
    shop = source(serve(demo()), SHOP_PAGE_SIZE=20)
    second = []

    def start_second_run(done, known, orders):
        if done == 3 and not second:
            second.append(None)
            with ThreadPoolExecutor(1) as other:
                second[0] = other.submit(pulls.pull, shop, TODAY, False, silent).result()

    with pytest.raises(TransientError, match="another run is reading the same source"):
        pulls.pull(shop, TODAY, False, start_second_run)
    assert second[0]["new_order_lines"] == raw.read(raw.pulls(shop.name), [c.LINE]).num_rows
    listed = {
        str(entry["id"]) for day in islice(SHOP.days(), DAYS) for entry in Dirt(SHOP).listing(day).orders
    }
    assert {line[0] for line in received(shop)} == listed


def test_a_shop_without_orders_is_an_error(source, serve):
    address = serve(Faulty(lambda page, _: (200, {"orders": [], "pageCount": 0})).app)
    with pytest.raises(NightshelfError, match=f"the shop at {address} .*no order line with a date"):
        pulls.pull(source(address), TODAY, False, silent)


@pytest.mark.parametrize(("concurrency", "last"), [(1, 1), (1, 2), (4, 3)])
def test_reads_orders_that_arrive_meanwhile(source, serve, concurrency, last):
    """Ten orders are on three pages of four; after the page `last` was read, five more arrive.

    If `last` is 3, a page with two orders, page 2 is read after it and reports a fourth page; page 3 must
    then be read again.
    """
    orders = [order(number) for number in range(1, 16)]
    total = 10

    async def growing(request):
        nonlocal total
        page = int(request.query_params["page"])
        while page == 2 and last == 3 and total == 10:
            await asyncio.sleep(0.01)
        response = {"orders": orders[:total][4 * (page - 1) : 4 * page], "pageCount": -(-total // 4)}
        total = 15 if page == last else total
        return JSONResponse(response)

    shop = source(serve(Starlette(routes=[Route("/orders", growing)])), SHOP_CONCURRENCY=concurrency)
    assert read(shop)[c.ORDER_ID].to_pylist() == [str(number) for number in range(1, 16)]


def test_no_phone_number_is_logged(source, serve, caplog):
    caplog.set_level(logging.DEBUG)
    faulty = Faulty(lambda page, tries: (500, PHONE) if tries == 1 else one_order_per_page(page, 0))
    assert read(source(serve(faulty.app)))[c.CUSTOMER].to_pylist() == [PHONE] * 3
    assert len(caplog.records) > 3
    logged = caplog.text
    for secret in (PHONE, "9165396205", "539-62", PASSWORD):
        assert secret not in logged


@pytest.mark.parametrize(
    "url",
    [
        *("shop.example", "ftp://shop.example", "http://", "http://shop:x", "http://a:b@shop"),
        *("http://:b@shop", "http://shop/?token=b", "http://shop..example"),
    ],
)
def test_an_invalid_address_names_the_setting(source, url):
    with pytest.raises(NightshelfError, match=r"NIGHTSHELF_SHOP_URL: .*(shop\.example|[Pp]ort)"):
        source(url)


def test_reads_the_weight_of_a_product_if_the_shop_sends_it(source, serve):
    def weights(*goods):
        page = Starlette(routes=[Route("/goods", lambda _: JSONResponse({"pageCount": 1, "goods": goods}))])
        return source(serve(page)).products()[c.WEIGHT].to_pylist()

    given = [{"id": 1, "weight": 2.5}, {"id": 2}, {"id": 3, "weight": None}, {"id": 4, "weight": "-1.5"}]
    assert weights(*given) == [2.5, None, None, -1.5]
    with pytest.raises(NightshelfError, match="weight that is no number"):
        weights({"id": 1, "weight": "much"})
