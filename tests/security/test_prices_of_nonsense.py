"""Prices that no shop can mean: the products have none, and the bundle can be read."""

import datetime as dt

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from pipelines import columns as c
from pipelines import nightly
from pipelines.lake import tables
from pipelines.prepare.interactions import interactions
from pipelines.settings import settings
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.bundle import files

LAST = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=2)
PRICES = {"g0": "1e999", "g1": "-1e999", "g2": "-5", "g3": '"inf"', "g4": '"nan"', "g5": "1e300", "g6": "9.5"}
CHOSEN = ModelSettings(
    als=AlsSettings(rank=4, iterations=3, alpha=5.0),
    half_lives=HalfLives(trend=7, repurchase=30),
    lanes={"for-you": "repurchase", "buy-again": "repurchase", "discover": "trend"},
)
WRITTEN = ["1e999", "-1e999", "-5", '"inf"', '"nan"', "9.5", "9.5", "9.5"]


def orders() -> str:
    """Returns a page of orders of ten days, in which some lines have no plausible price."""
    lines = []
    for number in range(400):
        day = LAST - dt.timedelta(days=number % 10)
        price = WRITTEN[number % 8] if number < 8 else "9.5"
        basket = f'{{"goodsId": "g{number % 7}", "quantity": 1, "price": {price}}}'
        order = f'"id": {number}, "createdAt": "{day}T10:00:00Z", "clientTel": "c{number % 30}"'
        lines.append(f'{{{order}, "basket": [{basket}]}}')
    return f'{{"pageCount": 1, "orders": [{", ".join(lines)}]}}'


def goods() -> str:
    """Returns a page of products, each with one of PRICES."""
    products = ", ".join(
        f'{{"id": "{id_}", "name": "{id_}", "price": {price}}}' for id_, price in PRICES.items()
    )
    return f'{{"pageCount": 1, "goods": [{products}]}}'


@pytest.fixture
def shop(home, serve, monkeypatch):
    """The settings of a nightly run of that shop."""
    pages = {"/orders": orders(), "/goods": goods()}
    routes = [
        Route(path, lambda request: Response(pages[request.url.path], media_type="application/json"))
        for path in pages
    ]
    values = {"SHOP_URL": serve(Starlette(routes=routes)), "SHOP_PASSWORD": "x", "SHOP_BACKOFF": 0}
    for name, value in values.items():
        monkeypatch.setenv(f"NIGHTSHELF_{name}", str(value))
    settings.cache_clear()


def test_a_product_with_such_a_price_has_none_in_the_bundle(shop, tmp_path):
    night = nightly.begin(as_of=str(LAST), source="shop-api", let_pass="a small shop")
    for step in ("extract", "validate", "prepare"):
        nightly.run(step, night)
    products = tables.read(tables.PRODUCTS)
    prices = dict(zip(products[c.PRODUCT].to_pylist(), products[c.PRICE].to_pylist(), strict=True))
    assert prices == dict.fromkeys(PRICES) | {"g6": 9.5}
    known = interactions(tables.read(tables.INTERACTIONS), products[c.PRODUCT].to_pylist())
    fitted = fit_bundle(known, products, CHOSEN, no_rules(products.num_rows), "implicit")
    opened = files.load(files.save(fitted, tmp_path / "bundle"))
    assert opened.products.tolist() == [name.encode() for name in sorted(PRICES)]
