"""Inputs in the shapes of shops' software, spreadsheets and public data: what extraction makes of each."""

import datetime as dt
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines import columns as c
from pipelines.extract.files import FileSource
from pipelines.extract.staging import Staging
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError

MAPPINGS = Path(__file__).parent / "field_mappings"
LINES, ORDERS, CUSTOMERS, PRODUCTS = 6828, 3025, 300, 60


def extracted(path, mapping):
    source = FileSource(str(path), str(mapping))
    staging = Staging(source.name, source.plan)
    source.orders(None, staging, silent)
    rows = pa.concat_tables(staging.read())
    assert source.last_day(None) == dt.date.fromisoformat(pc.max(rows[c.ORDERED_AT]).as_py()[:10])
    assert rows[c.FAULT].null_count == rows.num_rows
    return rows


def distinct(rows):
    """Returns the numbers of orders, customers and products."""
    return tuple(pc.count_distinct(rows[name]).as_py() for name in (c.ORDER_ID, c.CUSTOMER, c.PRODUCT))


def left_out(rows):
    return dict(Counter(reason for reason in rows[c.LEFT_OUT].to_pylist() if reason))


def sales(rows):
    """Returns quantity and price of each line: float64, shape (lines, 2), by order and product."""
    ordered = rows.sort_by([(c.ORDER_ID, "ascending"), (c.LINE, "ascending")])
    return np.array([ordered[name].to_pylist() for name in (c.QUANTITY, c.UNIT_PRICE)], float).T


# name -> (the input, its mapping, the number of customers as written)
SHAPES = {
    "decimal-comma": ("orders.csv", "decimal-comma/map.toml", CUSTOMERS),
    "customer-spellings": ("orders.csv", "customer-spellings/map.toml", 1187),
    "german-excel": ("bestellungen.csv", "german_excel.toml", CUSTOMERS),
    "woo-packed": ("orders.csv", "woo_packed.toml", CUSTOMERS),
    "guests": ("orders.csv", "guests/map.toml", CUSTOMERS),
    "woo-guest-zero": ("orders.csv", "woo-guest-zero/map.toml", CUSTOMERS + 1),
    "status": ("orders.csv", "status.toml", CUSTOMERS),
    "shopify-csv": ("orders_export_1.csv", "shopify.toml", CUSTOMERS),
    "first-line-only": ("orders.csv", "shopify.toml", CUSTOMERS),
}


@pytest.fixture
def shape(home, field):
    """A function from the name of a shape to its rows."""

    def read(name):
        file, mapping, _ = SHAPES[name]
        return extracted(field(f"{name}/{file}"), field(mapping) if "/" in mapping else MAPPINGS / mapping)

    return read


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_of_the_shop_has_the_same_lines(shape, name):
    rows = shape(name)
    assert rows.num_rows == LINES
    assert distinct(rows) == (ORDERS, SHAPES[name][2], PRODUCTS)
    assert np.allclose(sales(rows), sales(shape("decimal-comma")), atol=0.001)


def test_orders_that_are_unpaid_or_refunded_are_left_out_by_reason(shape):
    expected = {"unpaid": 500, "refunded": 393}
    assert left_out(shape("shopify-csv")) == left_out(shape("first-line-only")) == expected
    assert left_out(shape("status")) == {"cancelled": 587, "unpaid": 299 + 259, "refunded": 248}


def test_a_product_without_a_sku_is_known_by_its_name(shape):
    products = set(shape("shopify-csv")[c.PRODUCT].to_pylist())
    assert {name for name in products if name.startswith("Thing number")}
    assert None not in products


def test_fields_on_an_orders_first_line_are_those_of_all_its_lines(shape):
    columns = [c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.QUANTITY, c.UNIT_PRICE, c.NAME, c.LEFT_OUT]
    assert shape("first-line-only").select(columns) == shape("shopify-csv").select(columns)


def test_names_in_a_code_page_are_intact(shape, field):
    rows = shape("german-excel")
    assert {name[:12] for name in rows[c.NAME].to_pylist()} == {"Gürtel Größe"}
    with pytest.raises(NightshelfError, match=r"encoding.*windows-1252"):
        extracted(field("german-excel/bestellungen.csv"), field("german-excel/map.toml"))


@pytest.mark.parametrize("file", ["orders.json", "orders.jsonl"])
def test_lines_come_from_the_nested_list_of_an_order(shape, field, file):
    rows = extracted(field(f"woo-rest-json/{file}"), MAPPINGS / "woo_rest_json.toml")
    assert (rows.num_rows, distinct(rows)[0]) == (435, 200)
    plain = shape("decimal-comma")
    assert np.allclose(sales(rows), sales(plain.filter(pc.is_in(plain[c.ORDER_ID], rows[c.ORDER_ID]))))


def test_a_customers_purchases_of_a_day_are_an_order(home, field, monkeypatch):
    monkeypatch.setenv("NIGHTSHELF_TIMEZONE", "Asia/Taipei")
    settings.cache_clear()
    rows = extracted(field("us-dates/ta_feng.csv"), MAPPINGS / "ta_feng.toml")
    assert rows.num_rows == LINES
    per_day = {(row[c.CUSTOMER], row[c.ORDERED_AT]) for row in rows.to_pylist()}
    assert distinct(rows) == (len(per_day), CUSTOMERS, PRODUCTS)


def test_views_and_carts_are_left_out_under_their_kind(home, field):
    rows = extracted(field("retailrocket/events.csv"), MAPPINGS / "retailrocket.toml")
    assert left_out(rows) == {"view": 600, "addtocart": 600}
    assert rows.filter(pc.is_null(rows[c.LEFT_OUT]))[c.ORDER_ID].null_count == 0
    assert (set(rows[c.QUANTITY].to_pylist()), rows[c.UNIT_PRICE].null_count) == ({"1"}, rows.num_rows)


def test_free_lines_are_read_as_free(home, field):
    rows = extracted(field("bundles/orders.csv"), field("bundles/map.toml"))
    free = rows.filter(pc.equal(rows[c.UNIT_PRICE].cast(pa.float64()), 0))
    assert (rows.num_rows, free.num_rows) == (7910, 7910 - LINES)


def test_orders_of_two_stores_with_the_same_numbers_stay_apart(home, field):
    rows = extracted(field("two-stores/in"), MAPPINGS / "two_stores.toml")
    assert rows.num_rows == 13_492
    assert {order.partition("/")[0] for order in rows[c.ORDER_ID].to_pylist()} == {"de", "fr"}
