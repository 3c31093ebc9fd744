"""`inspect` and then `check-source` on exports as shops have them: the first nightly run would pass."""

import json

import pytest
from typer.testing import CliRunner

from pipelines.cli import app

SHOP = {"fetched": 6828, "used": 6828, "orders": 3025, "customers": 300, "products": 60, "left_out": {}}
UNPAID = {"refunded": 393, "cancelled": 253, "unpaid": 247}
SHOPIFY = SHOP | {"used": 5935, "orders": 2634, "left_out": UNPAID}
FIRST = {"fetched": 435, "used": 435, "orders": 200, "customers": 154, "products": 60, "left_out": {}}
STATUSES = {"cancelled": 587, "failed": 299, "unpaid": 259, "refunded": 248}
EXPECTED = {
    "shopify-csv/orders_export_1.csv": SHOPIFY,
    "first-line-only/orders.csv": SHOPIFY,
    "woo-packed/orders.csv": SHOP,
    "woo-rest-json/orders.json": FIRST,
    "woo-rest-json/orders.jsonl": FIRST,
    "german-excel/bestellungen.csv": SHOP,
    "decimal-comma/orders.csv": SHOP,
    # The customer 00000 is nobody.
    "us-dates/ta_feng.csv": {
        **SHOP,
        "used": 6811,
        "orders": 2816,
        "customers": 299,
        "left_out": {"no_customer": 17},
    },
    "retailrocket/events.csv": {
        "fetched": 1800,
        "used": 600,
        "orders": 271,
        "customers": 191,
        "products": 60,
        "left_out": {"addtocart": 600, "view": 600},
    },
    "status/orders.csv": SHOP | {"used": 5435, "orders": 2398, "left_out": STATUSES},
    "bundles/orders.csv": SHOP | {"fetched": 7910, "left_out": {"free": 1082}},
    "customer-spellings/orders.csv": SHOP,
    "guests/orders.csv": SHOP,
    "woo-guest-zero/orders.csv": SHOP,
    "two-stores/in": SHOP | {"fetched": 13492, "used": 13492, "orders": 6047, "customers": 600},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_first_nightly_run_would_pass(name, home, field, tmp_path):
    path, mapping = str(field(name)), str(tmp_path / "shop.toml")
    inspected = CliRunner().invoke(app, ["inspect", path, "--to", mapping])
    assert inspected.exit_code == 0, inspected.output
    options = ["--source", "files", "--mapping", mapping, "--path", path, "--json"]
    checked = CliRunner().invoke(app, ["check-source", *options])
    result = json.loads(checked.stdout)
    assert (checked.exit_code, result.pop("would_stop")) == (0, None)
    result.pop("warnings")
    assert result == EXPECTED[name]
