"""A new shop is a profile: every kind of page, and what a shop's responses must not do."""

import datetime as dt

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from pipelines import columns as c
from pipelines import extract
from pipelines.extract import pulls, raw, versions
from pipelines.extract.shops.access import is_private
from pipelines.extract.shops.profile import load_profile, shipped
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError

TODAY = dt.date(2026, 9, 30)
PROFILE = """
times = ["iso"]
decimal = "."
guests = true

[access]
kind = "bearer"

[columns]
order_id = "no"
ordered_at = "at"
product = "items.sku"
quantity = "items.n"
unit_price = "items.cents"

[nested]
lines = "items"

[api]
path = "/orders"
list = "orders"
"""
PAGES = {
    "page": '{ kind = "page", count = "pages" }',
    "page from zero": '{ kind = "page", first = 0 }',
    "offset": '{ kind = "offset", count = "total", counts = "entries" }',
    "cursor": '{ kind = "cursor", cursor = "next" }',
    "cursor with more": '{ kind = "cursor", cursor = "last", more = "more" }',
    "link": '{ kind = "link" }',
}
QUERY = 'query = { page = "{page}", offset = "{offset}", limit = "{size}", after = "{cursor}" }\n'


def order(number):
    item = {"sku": f"P{number % 5}", "n": 1 + number % 3, "cents": 950}
    return {
        "no": number,
        "at": f"2026-09-{1 + number // 2:02}T10:00:00Z",
        "items": [item],
        "other": {"x": [1]},
    }


class Shop:
    """A shop with orders of any number, which answers every kind of page."""

    def __init__(self, count=25, size=4):
        self.orders, self.size = [order(number) for number in range(count)], size
        self.app = Starlette(routes=[Route("/orders", self.list)])
        self.headers = {}

    async def list(self, request):
        params = request.query_params
        start = int(params.get("offset", 0))
        if "after" in params:
            start = int(params["after"])
        shown = self.orders[start : start + self.size]
        end, total = start + len(shown), len(self.orders)
        content = {"orders": shown, "total": total, "pages": -(-total // self.size), "last": str(end)}
        content |= {"more": end < total, "next": str(end) if end < total else None}
        url = request.url.include_query_params(offset=end)
        links = {"Link": f'<{url}>; rel="next", <{url}>; rel="last"'} if end < total else {}
        return JSONResponse(content, headers=links | self.headers)


@pytest.fixture
def connected(home, monkeypatch, serve, tmp_path):
    """Returns a function that sets up Nightshelf for a shop and a profile, and returns the source."""

    def connect(app, profile=PROFILE, **overrides):
        (tmp_path / "shop.toml").write_text(profile)
        values = {"URL": app if isinstance(app, str) else serve(app), "PROFILE": tmp_path / "shop.toml"}
        values |= {"TOKEN": "t", "PAGE_SIZE": 4, "RATE": 10_000, "BACKOFF": 0, "TRIES": 2} | overrides
        for name, value in values.items():
            monkeypatch.setenv(f"NIGHTSHELF_SHOP_{name}", str(value))
        settings.cache_clear()
        return extract.source("shop-api", "", "")

    return connect


def lines(source):
    pulls.pull(source, TODAY, False, silent)
    names = [c.ORDER_ID, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE]
    read = raw.read(raw.pulls(source.name), [*names, c.SOURCE, *raw.VERSION]).to_pandas()
    return sorted(map(tuple, versions.newest_versions(read)[names].to_numpy()), key=lambda line: int(line[0]))


def expected(shop, price="950"):
    return [(str(o["no"]), o["items"][0]["sku"], str(o["items"][0]["n"]), price) for o in shop.orders]


@pytest.mark.parametrize("kind", PAGES)
def test_reads_every_kind_of_page(connected, kind):
    shop = Shop()
    source = connected(shop.app, PROFILE + QUERY + f"pages = {PAGES[kind]}")
    assert lines(source) == expected(shop)


def test_reads_a_list_that_is_one_page(connected):
    shop = Shop(size=1000)
    assert lines(connected(shop.app)) == expected(shop)


def test_prices_in_minor_units_become_units(connected):
    shop = Shop(size=1000)
    assert lines(connected(shop.app, "minor_units = 2\n" + PROFILE)) == expected(shop, "9.5")


def test_rates_of_currencies_apply_to_minor_units(connected):
    shop = Shop(size=1000)
    for entry in shop.orders:
        entry["money"] = "USD"
    rates = '[currency]\ncolumn = "money"\nto = "EUR"\nrates = { USD = 0.5 }\n'
    assert lines(connected(shop.app, "minor_units = 2\n" + PROFILE + rates)) == expected(shop, "4.75")


def test_a_response_that_is_too_large_is_refused(connected):
    big = Starlette(routes=[Route("/orders", lambda _: Response(b'{"orders": [' + b" " * (3 << 20)))])
    with pytest.raises(NightshelfError, match=r"larger than 1 MiB.*NIGHTSHELF_SHOP_PAGE_SIZE"):
        lines(connected(big, RESPONSE_MB=1))


def test_a_compressed_response_that_is_too_large_is_refused(connected):
    import gzip

    body, headers = gzip.compress(b" " * (8 << 20)), {"Content-Encoding": "gzip"}
    big = Starlette(routes=[Route("/orders", lambda _: Response(body, headers=headers))])
    with pytest.raises(NightshelfError, match="larger than 1 MiB"):
        lines(connected(big, RESPONSE_MB=1))


def test_a_redirect_is_not_followed(connected):
    asked = []

    async def other(request):
        asked.append(request.headers.get("authorization"))
        return JSONResponse({"orders": []})

    routes = [Route("/orders", lambda _: RedirectResponse("/other")), Route("/other", other)]
    with pytest.raises(NightshelfError, match="307"):
        lines(connected(Starlette(routes=routes)))
    assert asked == []


def test_a_link_to_another_address_is_not_followed(connected):
    shop = Shop()
    shop.headers = {"Link": '<http://127.0.0.1:9/orders?offset=4>; rel="next"'}
    with pytest.raises(NightshelfError, match="another address"):
        lines(connected(shop.app, PROFILE + QUERY + 'pages = { kind = "link" }'))


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://shop.example", True),
        ("http://shop.example", False),
        ("http://8.8.8.8", False),
        ("http://127.0.0.1:80", True),
        ("http://[::1]:80", True),
        ("http://192.168.1.7", True),
        ("http://magento", True),
        ("http://shop.internal", True),
        ("http://internal.example", False),
    ],
)
def test_credentials_go_to_private_hosts_or_by_https(connected, url, private):
    assert is_private(url) is private
    if private:
        connected(url)
    else:
        with pytest.raises(NightshelfError, match="https"):
            connected(url)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (('path = "/orders"', 'path = "orders"'), "api.path"),
        (('kind = "bearer"', 'kind = "header"'), "header"),
        (('order_id = "no"', 'order_no = "no"'), "order_id"),
        (('[nested]\nlines = "items"', ""), "nested"),
        (('list = "orders"', 'list = "orders"\npages = { kind = "cursor" }'), "cursor"),
        (('list = "orders"', 'list = "orders"\npages = { kind = "pages" }'), "api.pages.kind"),
        (("guests = true", 'extends = "shopware"'), "extends"),
    ],
)
def test_a_profile_that_cannot_be_used_says_what_is_wrong(connected, change, named):
    with pytest.raises(NightshelfError, match=named) as raised:
        connected("http://127.0.0.1:9", PROFILE.replace(*change))
    assert "\n" not in str(raised.value)


def test_an_unknown_profile_names_the_shipped_ones(connected):
    with pytest.raises(NightshelfError, match="woocommerce"):
        connected("http://127.0.0.1:9", PROFILE="shopware")


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_profile_leaves_out_what_was_cancelled(name):
    profile = load_profile(name)
    reasons = {rule.reason for rule in profile.leave_out}
    assert name == "ecom" or {"cancelled", "unpaid"} <= reasons
    assert name == "ecom" or profile.refunds


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"orders": [{"no": 1}]}, "orders.0.at"),
        ({"orders": [{"no": None, "at": None, "items": []}]}, "no"),
        ({"orders": {"no": 1}}, "orders"),
        ({"result": []}, "orders"),
        ({"orders": [{"no": 1, "at": "2026-09-01", "items": [{"sku": {"a": 1}, "n": 1}]}]}, "items.0.sku"),
    ],
)
def test_a_response_of_another_shape_names_the_field(connected, body, named):
    shop = Starlette(routes=[Route("/orders", lambda _: JSONResponse(body))])
    with pytest.raises(NightshelfError, match=named):
        lines(connected(shop))


def test_an_error_in_graphql_is_shown_with_its_code(connected):
    errors = [
        {"message": "Cannot query field x on type Order", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}
    ]
    answer = Route("/orders", lambda _: JSONResponse({"errors": errors}), methods=["POST"])
    with pytest.raises(NightshelfError, match=r"field x.*GRAPHQL_VALIDATION_FAILED"):
        lines(connected(Starlette(routes=[answer]), PROFILE + 'graphql = "{ orders { x } }"'))


def test_a_graphql_error_while_data_was_read_does_not_quote_it(connected):
    body = {"errors": [{"message": "bad value +79165396205"}], "data": {"orders": None}}
    profile = PROFILE.replace('list = "orders"', 'list = "data.orders"\ngraphql = "{ orders { x } }"')
    answer = Route("/orders", lambda _: JSONResponse(body), methods=["POST"])
    with pytest.raises(NightshelfError) as raised:
        lines(connected(Starlette(routes=[answer]), profile))
    assert "539" not in str(raised.value)
