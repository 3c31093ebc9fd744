"""`check-source` on shops' APIs: the counts of what the shop says was bought, and nothing changed."""

import datetime as dt
import hashlib
import json

import pytest
from recorded_bigcommerce import BigCommerce
from recorded_magento import Magento
from recorded_prestashop import PrestaShop
from recorded_shopify import Shopify
from recorded_woocommerce import WooCommerce
from typer.testing import CliRunner

from pipelines import extract
from pipelines.cli import app
from pipelines.extract import pulls
from pipelines.run.progress import silent
from pipelines.settings import settings

SHOPS = [WooCommerce, Shopify, Magento, BigCommerce, PrestaShop]
ORDERS = 60


@pytest.fixture
def connected(home, monkeypatch, serve, tmp_path):
    """Returns a function that sets up Nightshelf for a shop, and whose result is the shop."""

    def connect(shop):
        given = {"URL": serve(shop), "BACKOFF": 0.001, "TRIES": 2, **shop.settings}
        if extending := getattr(shop, "extending", ""):
            (tmp_path / "own.toml").write_text(f'extends = "{given["PROFILE"]}"\n{extending}\n')
            given["PROFILE"] = str(tmp_path / "own.toml")
        for name, value in given.items():
            monkeypatch.setenv(f"NIGHTSHELF_SHOP_{name}", str(value))
        settings.cache_clear()
        return shop

    return connect


def check():
    result = CliRunner().invoke(app, ["check-source", "--source", "shop-api", "--json"])
    return result.exit_code, json.loads(result.stdout)


def files(home):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in home.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", SHOPS)
def test_a_check_counts_what_was_bought_and_changes_nothing(connected, seed, kind, home):
    shop = connected(kind(seed).fill(ORDERS))
    pulls.pull(extract.source("shop-api", "", ""), dt.datetime.now(dt.UTC).date(), False, silent)
    before = files(home)
    _, result = check()
    paid = [order for order in shop.orders.values() if order.state == "paid"]
    assert result["used"] == sum(len(order.lines) for order in paid)
    assert result["orders"] == len(paid)
    assert result["customers"] == len({order.customer for order in paid} - {0})
    assert result["products"] == len({line.product for order in paid for line in order.lines})
    for state in ("cancelled", "unpaid", "refunded"):
        lines = sum(len(order.lines) for order in shop.orders.values() if order.state == state)
        rows = lines * (2 if kind is Magento else 1)  # a variant has a line of its own
        assert result["left_out"].get(state, 0) == rows
    assert files(home) == before


@pytest.mark.parametrize("kind", SHOPS)
def test_wrong_credentials_stop_and_their_settings_are_named(connected, seed, kind, monkeypatch):
    shop = connected(kind(seed).fill(3))
    for name in {"TOKEN", "PASSWORD"} & kind.settings.keys():
        monkeypatch.setenv(f"NIGHTSHELF_SHOP_{name}", "wrong-one")
        settings.cache_clear()
    code, result = check()
    assert code == 1
    assert "NIGHTSHELF_SHOP_" in result["would_stop"]
    assert "wrong-one" not in result["would_stop"]
    assert len(shop.requests) == 1
