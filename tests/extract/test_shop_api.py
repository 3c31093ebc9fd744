"""The shop's API as it should be, and every way in which it can fail, over real HTTP."""

import asyncio
import datetime as dt
import json
import logging
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pyarrow as pa
import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from worlds import received

from pipelines import columns as c
from pipelines.demo.api import app
from pipelines.demo.dirt import Dirt
from pipelines.demo.regions import REGIONS
from pipelines.demo.shop import Shop
from pipelines.extract import contract, pulls, raw
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
    """A function from a shop's address, and settings, to the source that reads it."""

    def at(address, **given):
        told = {"SHOP_URL": address, "SHOP_USER": "shop", "SHOP_PASSWORD": PASSWORD}
        told |= {"SHOP_BACKOFF": 0, "SHOP_RATE": 10_000, **given}
        for name, value in told.items():
            monkeypatch.setenv(f"NIGHTSHELF_{name}", str(value))
        settings.cache_clear()
        return ShopApiSource(settings())

    return at


def demo():
    return app(SHOP, "shop", PASSWORD, lambda: TODAY)


def order(number, **changed):
    line = {"goodsId": "G1", "quantity": 1, "price": 9.5}
    return {"id": number, "createdAt": "2026-09-01T10:00:00Z", "clientTel": PHONE, "basket": [line]} | changed


class Faulty:
    """A shop whose `answer(page, tries)` is (status, body); it counts what it was asked, by page."""

    def __init__(self, answer):
        self.answer, self.asked = answer, Counter()
        self.app = Starlette(routes=[Route("/orders", self.orders)])

    async def orders(self, request):
        page = int(request.query_params["page"])
        self.asked[page] += 1
        status, body = self.answer(page, self.asked[page])
        text = body if isinstance(body, str) else json.dumps(body)
        return Response(text, status, media_type="application/json")


def one_each(page, _):
    return 200, {"orders": [order(page)], "pageCount": 3}


def read(shop, progress=silent):
    """All order lines of a shop, as they are staged."""
    staging = Staging(shop.name, {})
    shop.orders(None, staging, progress)
    return pa.concat_tables(staging.read())


def error_of(shop):
    with pytest.raises(NightshelfError) as caught:
        read(shop)
    told = str(caught.value)
    assert "\n" not in told
    assert not {PHONE, "79165396205", PASSWORD} & set(told.split())
    assert "539" not in told
    assert "secret" not in told
    return told


@pytest.mark.parametrize(("page_size", "at_once"), [(7, 8), (100, 1)])
def test_every_order_and_every_good_of_the_demo_shop_is_read(source, serve, page_size, at_once):
    listed = [entry for day in islice(SHOP.days(), DAYS) for entry in Dirt(SHOP).listing(day).orders]
    lines = [(str(entry["id"]), number) for entry in listed for number, _ in enumerate(entry["basket"])]
    steps = []
    shop = source(serve(demo()), SHOP_PAGE_SIZE=page_size, SHOP_CONCURRENCY=at_once)
    found = read(shop, lambda *told: steps.append(told))
    assert found.schema == RAW_ORDERS
    assert list(zip(found[c.ORDER_ID].to_pylist(), found[c.LINE].to_pylist(), strict=True)) == lines
    assert set(found[c.CUSTOMER].to_pylist()) == {entry["clientTel"] for entry in listed}
    assert set(found[c.GROUP].to_pylist()) == {entry["region"] for entry in listed} == set(REGIONS)
    pages = -(-len(listed) // page_size)
    orders = len(listed)
    assert steps[0] == (1, pages, min(page_size, orders))
    assert steps[-1] == (pages, pages, orders)
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)
    assert set(found[c.PAGE].to_pylist()) == set(range(1, pages + 1))


def test_the_goods_of_the_demo_shop_are_read(source, serve):
    found = source(serve(demo())).products()
    known = {product.id: product for product in SHOP.catalogue}
    assert found.schema == RAW_PRODUCTS
    assert found.num_rows == len(set(found[c.PRODUCT].to_pylist())) > 150
    for row in found.to_pylist():
        product = known[row[c.PRODUCT]]
        assert (row[c.NAME], row[c.BRAND], row[c.PRICE]) == (product.name, product.brand, product.price)


def test_a_wrong_password_fails_at_once_and_names_the_settings(source, serve):
    requests = []

    async def counting(scope, receive, send):
        requests.append(scope)
        await shop(scope, receive, send)

    shop = demo()
    told = error_of(source(serve(counting), SHOP_PASSWORD="wrong"))
    assert [scope["type"] for scope in requests].count("http") == 1
    for named in ("'shop'", "401", "NIGHTSHELF_SHOP_USER", "NIGHTSHELF_SHOP_PASSWORD"):
        assert named in told


@pytest.mark.parametrize(("status", "failing"), [(500, 1), (503, 2), (429, 2)])
def test_a_passing_failure_is_asked_again_and_nothing_is_missing(source, serve, status, failing):
    faulty = Faulty(
        lambda page, tries: (status, "busy") if (page, tries) == (failing, 1) else one_each(page, 0)
    )
    assert read(source(serve(faulty.app)))[c.ORDER_ID].to_pylist() == ["1", "2", "3"]
    healthy = Faulty(one_each)
    read(source(serve(healthy.app)))
    assert faulty.asked == healthy.asked + Counter({failing: 1})


@pytest.mark.parametrize(("status", "tries"), [(500, 2), (429, 2), (404, 1), (302, 1)])
def test_a_lasting_failure_names_path_page_and_status(source, serve, status, tries):
    faulty = Faulty(lambda page, _: (status, PHONE) if page == 3 else one_each(page, 0))
    told = error_of(source(serve(faulty.app), SHOP_TRIES=2))
    assert f"answered {status} for /orders page 3" in told
    assert faulty.asked[3] == tries


def test_a_shop_that_hangs_up_is_asked_again_and_then_named(source, serve):
    requests = []

    async def hanging_up(scope, receive, send):
        if scope["type"] == "http":
            requests.append(scope)
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"99")]}
            )
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            raise ConnectionError

    address = serve(hanging_up)
    told = error_of(source(address, SHOP_TRIES=2))
    assert len(requests) == 2
    for named in (address, "/orders page 1", "2 tries", "NIGHTSHELF_SHOP_URL"):
        assert named in told


def test_an_unreachable_shop_is_named_with_its_setting(source):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    told = error_of(source(address, SHOP_TRIES=1))
    for named in (address, "/orders page 1", "NIGHTSHELF_SHOP_URL"):
        assert named in told


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
def test_an_answer_of_another_shape_names_the_field_and_is_asked_for_once(source, serve, field):
    faulty = Faulty(lambda page, _: (200, WRONG_SHAPES[field]))
    assert f"/orders page 1 has another shape: {field}: " in error_of(source(serve(faulty.app)))
    assert faulty.asked == {1: 1}


@pytest.mark.parametrize("body", [f"<html>{PHONE}</html>", '{"orders": [], "pageC'])
def test_an_answer_that_is_no_whole_json_is_asked_again_and_then_named(source, serve, body):
    faulty = Faulty(lambda page, tries: (200, body))
    assert "/orders page 1 is no whole JSON, 2 times" in error_of(source(serve(faulty.app), SHOP_TRIES=2))
    assert faulty.asked == {1: 2}
    faulty = Faulty(lambda page, tries: (200, body) if tries == 1 else one_each(page, 0))
    assert read(source(serve(faulty.app)))[c.ORDER_ID].to_pylist() == ["1", "2", "3"]


def test_the_region_of_an_order_is_its_group_and_none_is_no_fault(source, serve):
    regions = {1: {"region": "North"}, 2: {"region": None}, 3: {}}
    faulty = Faulty(lambda page, _: (200, {"orders": [order(page, **regions[page])], "pageCount": 3}))
    assert read(source(serve(faulty.app)))[c.GROUP].to_pylist() == ["North", None, None]


def test_an_order_whose_basket_was_emptied_replaces_what_it_was(source, serve):
    basket = [{"goodsId": "G1", "quantity": 1}]
    shop = Faulty(lambda page, _: (200, {"orders": [order(1, basket=basket), order(2)], "pageCount": 1}))
    shop.app.routes.append(Route("/goods", lambda _: JSONResponse({"goods": [], "pageCount": 1})))
    reader = source(serve(shop.app))
    assert pulls.pull(reader, TODAY, False, silent)["new_order_lines"] == 2
    basket.clear()
    assert pulls.pull(reader, TODAY, False, silent)["new_order_lines"] == 1
    assert [line[3] for line in received(reader)] == [None, "G1"]
    assert pulls.pull(reader, TODAY, False, silent)["new_order_lines"] == 0


def test_a_strange_time_among_others_is_no_other_order_of_the_list(source, serve):
    strange = {1: "2099-01-01T00:00:00Z", 2: "n/a", 9: "2026-08-30T00:00:00Z"}

    def answer(page, _):
        orders = [
            order(n, createdAt=strange.get(n, f"2026-09-0{n}T10:00:00Z")) for n in (2 * page - 1, 2 * page)
        ]
        return 200, {"orders": orders[: 1 if page == 5 else 2], "pageCount": 5}

    found = read(source(serve(Faulty(answer).app)))
    assert sorted(found[c.ORDER_ID].to_pylist(), key=int) == [str(n) for n in range(1, 10)]


def test_newest_first_is_named(source, serve):
    faulty = Faulty(
        lambda page, _: (200, {"orders": [order(9 - page, createdAt=f"2026-09-0{9 - page}")], "pageCount": 3})
    )
    assert "lists its newest orders first" in error_of(source(serve(faulty.app)))


def test_orders_listed_twice_are_no_news_the_next_time(source, serve):
    shop = source(serve(demo()), SHOP_PAGE_SIZE=7)
    assert pulls.pull(shop, TODAY, False, silent)["new_order_lines"] > 0
    assert pulls.pull(shop, TODAY, False, silent)["new_order_lines"] == 0


def test_pages_of_another_size_are_of_no_use_after_a_kill(source, serve):
    address = serve(demo())

    def killed(done, known, orders):
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pulls.pull(source(address, SHOP_PAGE_SIZE=20, SHOP_CONCURRENCY=1), TODAY, False, killed)
    shop = source(address, SHOP_PAGE_SIZE=7)
    pulls.pull(shop, TODAY, False, silent)
    listed = {str(one["id"]) for day in islice(SHOP.days(), DAYS) for one in Dirt(SHOP).listing(day).orders}
    assert {line[0] for line in received(shop)} == listed


def test_two_runs_at_once_do_each_other_no_harm(source, serve):
    """The second takes over what the first has read; the first ends without a trace."""
    shop = source(serve(demo()), SHOP_PAGE_SIZE=20)
    second = []

    def meanwhile(done, known, orders):
        if done == 3 and not second:
            second.append(None)
            with ThreadPoolExecutor(1) as other:
                second[0] = other.submit(pulls.pull, shop, TODAY, False, silent).result()

    with pytest.raises(TransientError, match="another run reads the same source"):
        pulls.pull(shop, TODAY, False, meanwhile)
    assert second[0]["new_order_lines"] == raw.read(raw.pulls(shop.name), [c.LINE]).num_rows
    listed = {str(one["id"]) for day in islice(SHOP.days(), DAYS) for one in Dirt(SHOP).listing(day).orders}
    assert {line[0] for line in received(shop)} == listed


def test_a_shop_without_orders_is_an_error(source, serve):
    address = serve(Faulty(lambda page, _: (200, {"orders": [], "pageCount": 0})).app)
    with pytest.raises(NightshelfError, match=f"the shop at {address} gave no order line with a date"):
        pulls.pull(source(address), TODAY, False, silent)


@pytest.mark.parametrize(("at_once", "last"), [(1, 1), (1, 2), (4, 3)])
def test_orders_that_come_under_way_are_read(source, serve, at_once, last):
    """Ten orders, four to a page, are on three pages; when a page was read, five more come.

    Where that page is the third, the second is read after it and tells of a fourth: then the third,
    which held two orders, must be read again.
    """
    orders = [order(number) for number in range(1, 16)]
    total = 10

    async def growing(request):
        nonlocal total
        page = int(request.query_params["page"])
        while page == 2 and last == 3 and total == 10:
            await asyncio.sleep(0.01)
        answer = {"orders": orders[:total][4 * (page - 1) : 4 * page], "pageCount": -(-total // 4)}
        total = 15 if page == last else total
        return JSONResponse(answer)

    shop = source(serve(Starlette(routes=[Route("/orders", growing)])), SHOP_CONCURRENCY=at_once)
    assert read(shop)[c.ORDER_ID].to_pylist() == [str(number) for number in range(1, 16)]


def test_no_phone_number_is_logged(source, serve, caplog):
    caplog.set_level(logging.DEBUG)
    faulty = Faulty(lambda page, tries: (500, PHONE) if tries == 1 else one_each(page, 0))
    assert read(source(serve(faulty.app)))[c.CUSTOMER].to_pylist() == [PHONE] * 3
    assert len(caplog.records) > 3
    told = caplog.text
    for secret in (PHONE, "9165396205", "539-62", PASSWORD):
        assert secret not in told


@pytest.mark.parametrize(
    "url",
    [
        *("shop.example", "ftp://shop.example", "http://", "http://shop:x", "http://a:b@shop"),
        *("http://:b@shop", "http://shop/?token=b", "http://shop..example"),
    ],
)
def test_an_address_that_is_none_names_the_setting(source, url):
    with pytest.raises(NightshelfError, match=r"NIGHTSHELF_SHOP_URL: .*(shop\.example|[Pp]ort)"):
        source(url)


def test_a_weight_is_read_where_the_shop_gives_one():
    def weights(*goods):
        page = contract.GOOD_PAGE.validate_python({"pageCount": 1, "goods": list(goods)})
        return contract.products(page)[c.WEIGHT].to_pylist()

    given = [{"id": 1, "weight": 2.5}, {"id": 2}, {"id": 3, "weight": None}, {"id": 4, "weight": "-1.5"}]
    assert weights(*given) == [2.5, None, None, -1.5]
    with pytest.raises(ValidationError, match=r"goods\.0\.weight"):  # as a price of words does
        weights({"id": 1, "weight": "much"})
