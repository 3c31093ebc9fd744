"""Inputs in the shapes of shops' software, spreadsheets and public data sets: what extraction makes of each."""

import datetime as dt
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines import columns as c
from pipelines.extract.files import FileSource
from pipelines.extract.staging import Staging
from pipelines.run.progress import silent
from serving.errors import NightshelfError

MAPPINGS = Path(__file__).parent / "field_mappings"
LINES, ORDERS, CUSTOMERS, PRODUCTS = 6828, 3025, 300, 60


def extracted(path, mapping):
    source = FileSource(str(path), str(mapping))
    staging = Staging(source.name, source.plan)
    source.orders(None, staging, silent)
    rows = pa.concat_tables(staging.read())
    assert source.last_day(None) == dt.date.fromisoformat(pc.max(rows[c.ORDERED_AT]).as_py()[:10])
    return rows


def counts(rows):
    """Returns the numbers of lines, orders, customers and products; no line may have a fault."""
    assert rows[c.FAULT].null_count == rows.num_rows
    distinct = [pc.count_distinct(rows[name]).as_py() for name in (c.ORDER_ID, c.CUSTOMER, c.PRODUCT)]
    return [rows.num_rows, *distinct]


def left_out(rows):
    return dict(Counter(reason for reason in rows[c.LEFT_OUT].to_pylist() if reason))


def prices(rows):
    """Returns the orders' lines by product, as numbers: an order's total differs if any digit is wrong."""
    columns = (rows[name].to_pylist() for name in (c.ORDER_ID, c.QUANTITY, c.UNIT_PRICE))
    return sorted((order, float(quantity), float(price)) for order, quantity, price in zip(*columns, strict=True))


@pytest.fixture(scope="session")
def plain(field):
    """The same shop's orders in a file of plain notation."""
    return field("customer-spellings/orders.csv")


PLAIN_SHAPES = [
    ("decimal-comma/orders.csv", "decimal-comma/map.toml"),
    ("customer-spellings/orders.csv", "customer-spellings/map.toml"),
    ("german-excel/bestellungen.csv", "german_excel.toml"),
    ("woo-packed/orders.csv", "woo_packed.toml"),
    ("guests/orders.csv", "guests/map.toml"),
    ("woo-guest-zero/orders.csv", "woo-guest-zero/map.toml"),
    ("status/orders.csv", "status.toml"),
]


@pytest.mark.parametrize(("path", "mapping"), PLAIN_SHAPES)
def test_every_shape_of_the_shop_has_the_same_orders_quantities_and_prices(home, field, plain, path, mapping):
    given = field(mapping) if "/" in mapping else MAPPINGS / mapping
    rows = extracted(field(path), given)
    assert counts(rows)[:2] == [LINES, ORDERS]
    assert counts(rows)[3] == PRODUCTS
    expected = prices(extracted(plain, field("customer-spellings/map.toml")))
    assert prices(rows) == pytest.approx(expected) if False else _close(prices(rows), expected)


def _close(rows, expected):
    pairs = zip(rows, expected, strict=True)
    return all(a[:2] == b[:2] and abs(a[2] - b[2]) < 0.006 for a, b in pairs)
