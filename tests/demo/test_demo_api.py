"""The contract of the demo shop's API, tested against a real server."""

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from homes import served
from ports import free_port

from pipelines.demo.api import app, serve
from pipelines.demo.dirt import Dirt, Order
from pipelines.demo.shop import Shop
from pipelines.settings import settings
from serving.errors import NightshelfError

SHOP = Shop(start=dt.date(2026, 9, 1), seed=7, customers=500, products=300, orders_per_day=50)
TODAY = dt.date(2026, 9, 26)  # after 25 days
AUTH = ("shop", "secret: ümlaut")


class Calendar:
    """A date that a test can move."""

    today = TODAY

    def __call__(self) -> dt.date:
        return self.today


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture(scope="module")
def address(calendar: Calendar) -> Iterator[str]:
    with served(app(SHOP, *AUTH, calendar)) as address:
        yield address


@pytest.fixture
def client(address: str, calendar: Calendar) -> Iterator[httpx.Client]:
    calendar.today = TODAY
    with httpx.Client(base_url=address, auth=httpx.BasicAuth(*AUTH), trust_env=False) as client:
        yield client


def listed(days: int) -> list[Order]:
    """The orders that the simulator lists in the first days."""
    dirt = Dirt(SHOP)
    return [order for day in islice(SHOP.days(), days) for order in dirt.listing(day).orders]


def instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def pages(client: httpx.Client, path: str, **query: Any) -> list[Any]:
    """All entries of a listing, fetched page by page."""
    entries, page, count = [], 1, 1
    while page <= count:
        answer = client.get(path, params={**query, "page": page}).raise_for_status().json()
        entries += answer[path[1:]]
        page, count = page + 1, answer["pageCount"]
    return entries


@pytest.mark.parametrize("path", ["/orders", "/goods", "/goods/10001", "/elsewhere"])
@pytest.mark.parametrize("auth", [None, ("shop", "wrong"), ("other", AUTH[1]), ("", "")])
def test_refuses_wrong_and_missing_credentials(address: str, path: str, auth: tuple[str, str] | None) -> None:
    answer = httpx.get(address + path, auth=auth and httpx.BasicAuth(*auth), trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert "password" in answer.json()["error"]


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Bearer abc", "Basic \xff"])
def test_refuses_malformed_authorization_headers(address: str, header: str) -> None:
    headers = {"Authorization": header.encode("latin-1")}
    assert httpx.get(f"{address}/orders", headers=headers, trust_env=False).status_code == 401


def test_health_needs_no_credentials(address: str) -> None:
    assert httpx.get(f"{address}/health", trust_env=False).json() == {"status": "ok"}


@pytest.mark.parametrize("per_page", [7, 100, 1000])
def test_pages_contain_every_order_exactly_once(client: httpx.Client, per_page: int) -> None:
    assert pages(client, "/orders", expand="basket", **{"per-page": per_page}) == listed(25)


def test_a_page_has_a_hundred_orders_by_default(client: httpx.Client) -> None:
    answer = client.get("/orders", params={"expand": "basket"}).json()
    assert answer["orders"] == listed(25)[:100]
    assert answer["pageCount"] == -(-len(listed(25)) // 100)


def test_a_page_has_a_thousand_orders_at_most(client: httpx.Client) -> None:
    assert len(client.get("/orders", params={"per-page": 5000}).json()["orders"]) == 1000


def test_orders_have_no_basket_unless_expanded(client: httpx.Client) -> None:
    bare = [{key: value for key, value in order.items() if key != "basket"} for order in listed(25)]
    assert pages(client, "/orders") == bare


@pytest.mark.parametrize("page", [14, 10**30])
def test_a_page_beyond_the_end_is_empty(client: httpx.Client, page: int) -> None:
    answer = client.get("/orders", params={"page": page}).json()
    assert answer == {"orders": [], "pageCount": 13}


@pytest.mark.parametrize("name", ["page", "per-page"])
@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.5", "9" * 5000])
def test_invalid_paging_is_a_400_naming_the_parameter(client: httpx.Client, name: str, value: str) -> None:
    answer = client.get("/orders", params={name: value})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{name} must be")


def test_since_lists_the_orders_from_an_instant_on_including_duplicates(
    client: httpx.Client, seed: int
) -> None:
    everything = listed(25)
    times = [order["createdAt"] for order in everything]
    late = next(time for before, time in pairwise(times) if time < before)  # of a duplicate
    random = Random(seed)
    instants = [
        late,
        times[0],
        times[-1],
        *random.sample(times, 5),
        *(f"2026-09-{day:02}T00:00Z" for day in (1, 9)),
    ]
    for since in instants:
        expected = [o for o in everything if instant(o["createdAt"]) >= instant(since)]
        assert pages(client, "/orders", expand="basket", since=since) == expected
        later = [o for o in everything if instant(o["createdAt"]) > instant(since)]
        just_after = instant(since) + dt.timedelta(milliseconds=1)
        assert pages(client, "/orders", expand="basket", since=just_after.isoformat()) == later


def test_pages_with_since_contain_every_remaining_order_exactly_once(client: httpx.Client) -> None:
    since = "2026-09-20T15:00:00+03:00"
    expected = [o for o in listed(25) if o["createdAt"] >= "2026-09-20T12:00:00Z"]
    assert pages(client, "/orders", expand="basket", since=since, **{"per-page": 7}) == expected
    answer = client.get("/orders", params={"since": since, "per-page": 7}).json()
    assert answer["pageCount"] == -(-len(expected) // 7)


@pytest.mark.parametrize("since", ["0001-01-01T00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_since_accepts_any_instant(client: httpx.Client, since: str) -> None:
    assert client.get("/orders", params={"since": since}).json()["pageCount"] == (13 if since < "2" else 0)


@pytest.mark.parametrize(
    "since", ["", "yesterday", "2026-09-20", "2026-09-20T12:00:00", "1790000000", "9" * 5000]
)
def test_since_refuses_what_is_no_instant(client: httpx.Client, since: str) -> None:
    answer = client.get("/orders", params={"since": since})
    assert answer.status_code == 400
    assert answer.json()["error"] == "since must be an instant as 2026-01-31T00:00:00Z"


def test_a_day_later_there_are_new_orders_and_the_old_are_unchanged(
    client: httpx.Client, calendar: Calendar
) -> None:
    before = pages(client, "/orders", expand="basket")
    calendar.today = TODAY + dt.timedelta(days=1)
    after = pages(client, "/orders", expand="basket")
    assert after[: len(before)] == before
    assert {order["createdAt"][:10] for order in after[len(before) :]} == {str(TODAY)}
    calendar.today = TODAY
    assert pages(client, "/orders", expand="basket") == before


@pytest.mark.parametrize("days", [0, -3])
def test_until_the_first_day_is_over_there_are_goods_but_no_orders(
    client: httpx.Client, calendar: Calendar, days: int
) -> None:
    calendar.today = SHOP.start + dt.timedelta(days=days)
    assert client.get("/orders").json() == {"orders": [], "pageCount": 0}
    assert len(client.get("/goods").json()["goods"]) == 100


def test_goods_are_the_launched_products_without_the_missing(client: httpx.Client) -> None:
    truth, missing = SHOP.truth, Dirt(SHOP).missing_goods
    expected = [
        {
            "id": product.id,
            "name": product.name,
            "category": product.category,
            "brand": product.brand,
            "price": product.price,
            "inStock": bool(truth.last_day[index] >= 25),
        }
        for index, product in enumerate(SHOP.catalogue)
        if index not in missing and truth.first_day[index] <= 25
    ]
    assert pages(client, "/goods", **{"per-page": 33}) == expected
    assert {article["inStock"] for article in expected} == {True, False}


def test_orders_contain_goods_that_the_list_lacks(client: httpx.Client) -> None:
    known = {article["id"] for article in pages(client, "/goods")}
    ordered = {line["goodsId"] for order in listed(25) for line in order["basket"]}
    assert ordered - known == {SHOP.catalogue[index].id for index in Dirt(SHOP).missing_goods}


def test_goods_are_filtered_by_category_and_brand(client: httpx.Client) -> None:
    everything = pages(client, "/goods")
    category, brand = everything[0]["category"], everything[0]["brand"]
    coffee = [article for article in everything if article["category"] == category]
    assert pages(client, "/goods", category=category) == coffee
    both = [article for article in coffee if article["brand"] == brand]
    assert pages(client, "/goods", category=category, brand=brand) == both
    assert client.get("/goods", params={"brand": "none such"}).json() == {"goods": [], "pageCount": 0}


def test_returns_a_single_article(client: httpx.Client) -> None:
    article = client.get("/goods").json()["goods"][5]
    assert client.get(f"/goods/{article['id']}").json() == article


def test_missing_unknown_and_unlaunched_goods_are_a_404(client: httpx.Client) -> None:
    missing = SHOP.catalogue[min(Dirt(SHOP).missing_goods)].id
    unlaunched = SHOP.catalogue[int(SHOP.truth.first_day.argmax())].id
    for unknown in (missing, unlaunched, "0"):
        answer = client.get(f"/goods/{unknown}")
        assert (answer.status_code, answer.json()) == (404, {"error": "no goods have this id"})


def test_all_errors_are_json(client: httpx.Client) -> None:
    assert client.get("/elsewhere").json() == {"error": "Not Found"}
    refused = client.post("/orders")
    assert (refused.status_code, refused.json()) == (405, {"error": "Method Not Allowed"})


def test_serving_without_a_password_is_an_error_naming_the_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NIGHTSHELF_SHOP_PASSWORD", raising=False)
    settings.cache_clear()
    with pytest.raises(NightshelfError, match="NIGHTSHELF_SHOP_PASSWORD"):
        serve()
    settings.cache_clear()


def test_serves_with_the_settings_and_logs_no_request(tmp_path: Path) -> None:
    port = free_port()
    chosen = {"SHOP_PORT": str(port), "SHOP_USER": "me", "SHOP_PASSWORD": "x", "HOST": "127.0.0.1"}
    chosen["HOME"] = str(tmp_path)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHELF_")}
    server = subprocess.Popen(
        [sys.executable, "-c", "from pipelines.demo.api import serve; serve()"],
        cwd=tmp_path,
        env=inherited | {f"NIGHTSHELF_{name}": value for name, value in chosen.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        transport = httpx.HTTPTransport(retries=8)  # 0.5 s, doubled each time
        with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}") as client:
            answer = client.get("/orders", auth=("me", "x"))
    finally:
        server.terminate()
        output, _ = server.communicate()
    first = dt.datetime.fromisoformat(answer.json()["orders"][0]["createdAt"])
    assert answer.json()["pageCount"] in range(570, 630)
    assert (dt.datetime.now(dt.UTC) - first).days in (59, 60)
    assert f"127.0.0.1:{port}" in output
    assert "/orders" not in output
