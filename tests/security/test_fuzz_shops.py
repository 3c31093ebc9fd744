"""Shops' APIs that answer with drawn nonsense: each pull succeeds or ends with a message, and none hangs."""

import gzip
import random
import time

import httpx
import limits
import nasty
import pytest
from homes import SOAK
from starlette.responses import Response

from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.extract.shop_api import ShopApiSource
from pipelines.extract.shops import shape
from pipelines.extract.shops.orders import OrderReader, put
from pipelines.extract.shops.profile import Listing, load_profile, shipped
from pipelines.extract.staging import RAW_ORDERS, Staging
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError

DRAWN = 10_000 if SOAK else 120
SECONDS = 1.0  # for one pull
PERSON = "anna@shop.example"
ENCODINGS = (None, None, None, None, "gzip", "broken gzip", "deflate", "br", "unknown")
HEADERS = (
    {},
    {},
    {"Link": "<http://[x>; rel=next"},
    {"Link": "</orders?page=2>; rel=next"},
    {"Link": "<http://elsewhere.example:99999/>; rel=next"},
    {"Retry-After": "9" * 400},
    {"Retry-After": "Wed, 99 Foo 0000"},
    {"Retry-After": "Mon, 1 Jan 99999999999 00:00:00 GMT"},
    {"Link": '<http://me:password@127.0.0.1/orders?page=2>; rel="next"'},
    {"X-WP-TotalPages": "9" * 5_000},
    {"X-WP-TotalPages": "-1"},
    {"X-WP-TotalPages": "²"},
    {"Content-Type": "text/html; charset=nonsense"},
)


def example(tree: shape.Tree, name: str = "") -> object:
    """Returns an entry with all fields of a tree."""
    if not tree:
        return {"createdAt": "2026-09-01T10:00:00Z", "email": PERSON}.get(name, "12")
    if shape.ANY in tree:
        return [example(tree[shape.ANY], name), example(tree[shape.ANY], name)]
    return {field: example(below, field) for field, below in tree.items()}


def response(listing: Listing, entry: object) -> object:
    """Returns a response with two entries, as a profile describes a list."""
    if not listing.list:
        return [entry, entry]
    document: dict[str, object] = {}
    put(document, listing.list, [entry, entry])
    pages = listing.pages
    for path, value in ((pages.count, 1), (pages.cursor, "abc"), (pages.more, False)) if pages else ():
        if path:
            put(document, path, value)
    return document


class Shop:
    """A shop of a profile whose responses are drawn."""

    def __init__(self, profile, reader, rng):
        self.rng, self.requests = rng, 0
        self.orders = response(profile.api, example(reader.tree))
        catalogue = profile.catalogue
        fields = shape.tree(
            path
            for column in catalogue.columns.values()
            for path in ([column] if isinstance(column, str) else [])
        )
        self.products, self.path = response(catalogue, example(fields)), catalogue.path

    async def __call__(self, scope, receive, send):
        self.requests += 1
        document = self.products if scope["path"] == self.path else self.orders
        if self.rng.random() < 0.8:
            document = nasty.mutated(document, self.rng)
        body = nasty.as_json(document).encode(errors="replace") if self.requests < 50 else b"{}"
        headers = dict(self.rng.choice(HEADERS))
        encoding = self.rng.choice(ENCODINGS)
        if encoding:
            headers["Content-Encoding"] = encoding.removeprefix("broken ")
            body = gzip.compress(body)[: -9 if encoding.startswith("broken") else None]
        status = self.rng.choice([200] * 20 + [204, 206, 301, 404, 429, 500])
        body = b"" if status == httpx.codes.NO_CONTENT else body
        await Response(body, status, {"Content-Type": "application/json"} | headers)(scope, receive, send)


@pytest.mark.parametrize("name", shipped())
def test_a_pull_from_a_shop_that_answers_nonsense_ends_with_a_message(home, serve, seed, monkeypatch, name):
    rng, profile = random.Random(f"{seed}{name}"), load_profile(name)
    values = {"URL": "http://127.0.0.1:1", "PROFILE": name, "PASSWORD": "x", "TOKEN": "x"}
    values |= {"RATE": 100_000, "TRIES": 1, "BACKOFF": 0, "TIMEOUT": 5}
    for setting, given in values.items():
        monkeypatch.setenv(f"NIGHTSHELF_SHOP_{setting}", str(given))
    settings.cache_clear()
    shop = Shop(profile, OrderReader(profile, settings(), "", ""), rng)
    monkeypatch.setenv("NIGHTSHELF_SHOP_URL", serve(shop))
    settings.cache_clear()
    slowest = 0.0
    for number in range(DRAWN // len(shipped())):
        shop.requests, started, state = 0, time.process_time(), rng.getstate()
        for problem in (_pull_orders(number), _pull_products()):
            assert PERSON not in problem
            assert "\n" not in problem
        slowest = max(slowest, time.process_time() - started)
        assert slowest < limits.scaled(SECONDS), f"took {slowest:.1f} s at {state[1][-1]}, case {number}"


def _pull_orders(number: int) -> str:
    """Stages the shop's orders; returns the message of the error, "" if there is none."""
    source = ShopApiSource(settings())
    staging = Staging(source.name, {"number": number})
    try:
        source.orders(None, staging, silent)
    except NightshelfError as error:
        return str(error)
    assert all(page.schema == RAW_ORDERS for page in staging.read())
    return ""


def _pull_products() -> str:
    """Reads the shop's products; returns the message of the error, "" if there is none."""
    try:
        products = ShopApiSource(settings()).products()
    except NightshelfError as error:
        return str(error)
    assert products is None or products.schema == RAW_PRODUCTS
    return ""
