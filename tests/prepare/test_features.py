"""The tables computed from order lines: interactions, regions, baskets and products."""

import datetime as dt

import pyarrow as pa
import pytest
from frames import frame, tuples

from pipelines import columns as c
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.prepare import features

SCHEMA = (
    f"{c.ORDER_ID} string, {c.ORDERED_AT} timestamp, {c.CUSTOMER} string, {c.PRODUCT} string,"
    f" {c.QUANTITY} double, {c.UNIT_PRICE} double"
)
AS_OF = dt.date(2026, 1, 4)
FIRST, SECOND, THIRD = (dt.date(2026, 1, day) for day in (1, 2, 3))
LINES = [
    ("1", "2026-01-01 00:00:00", "ann", "A", 2.0, 1.0),
    ("1", "2026-01-01 00:00:00", "ann", "B", 1.0, 1.0),
    ("2", "2026-01-01 23:59:59", "ann", "A", 3.0, 1.0),
    ("3", "2026-01-02 00:00:00", "ann", "A", 1.0, 1.0),
    ("4", "2026-01-03 12:00:00", "ann", "A", -4.0, 1.0),  # returns units bought on earlier days
    ("5", "2026-01-03 12:00:00", "bob", "A", 5.0, 1.0),
    ("5", "2026-01-03 12:00:00", "bob", "B", -1.0, 1.0),
    ("6", "2026-01-03 12:00:00", "bob", "C", 0.0, 1.0),  # bought and returned in one order
    ("7", "2026-01-02 12:00:00", None, "A", 1.0, 1.0),
    ("7", "2026-01-02 12:00:00", None, "C", 1.0, 1.0),
]


def at(column, row):
    """The row with the text in a column as a time in UTC."""
    return (*row[:column], dt.datetime.fromisoformat(f"{row[column]}+00:00"), *row[column + 1 :])


@pytest.fixture
def orders():
    return frame([at(1, line) for line in LINES], SCHEMA)


def test_the_last_evening_of_a_shop_west_of_greenwich_counts_to_the_last_day(orders):
    days = {row[2] for row in tuples(features.interactions(orders, SECOND))}
    assert days == {FIRST, SECOND}
    assert {row[1] for row in tuples(features.baskets(orders, SECOND))} == {FIRST, SECOND}


def test_interactions_are_grouped_by_customer_product_and_day_and_returns_keep_their_day(orders):
    rows = features.interactions(orders, AS_OF)
    assert list(rows.columns) == [c.CUSTOMER, c.PRODUCT, c.DAY, c.QUANTITY, c.RETURNED, c.ORDERS]
    assert sorted(tuples(rows)) == [
        ("ann", "A", FIRST, 5.0, 0.0, 2),
        ("ann", "A", SECOND, 1.0, 0.0, 1),
        ("ann", "A", THIRD, 0.0, 4.0, 0),
        ("ann", "B", FIRST, 1.0, 0.0, 1),
        ("bob", "A", THIRD, 5.0, 0.0, 1),
        ("bob", "B", THIRD, 0.0, 1.0, 0),
    ]


def test_a_customers_region_is_that_of_the_latest_order_with_one():
    lines = [
        ("ann", "France", "2026-01-01 10:00:00"),
        ("ann", "Spain", "2026-01-02 10:00:00"),
        ("ann", None, "2026-01-03 10:00:00"),
        ("bob", "Spain", "2026-01-02 10:00:00"),
        ("bob", "France", "2026-01-02 10:00:01"),
        ("bob", "Spain", "2026-01-01 10:00:00"),
        ("cleo", None, "2026-01-01 10:00:00"),
        (None, "Spain", "2026-01-01 10:00:00"),
    ]
    orders = frame(
        [at(2, line) for line in lines],
        f"{c.CUSTOMER} string, {c.GROUP} string, {c.ORDERED_AT} timestamp",
    )
    rows = features.groups(orders)
    assert list(rows.columns) == [c.CUSTOMER, c.GROUP]
    assert sorted(tuples(rows)) == [("ann", "Spain"), ("bob", "France")]


def test_a_basket_has_an_orders_distinct_products_day_and_customer(orders):
    twice = orders.union(orders.filter(orders[c.ORDER_ID] == "1"))
    rows = tuples(features.baskets(twice, AS_OF).select(c.ORDER_ID, c.DAY, c.CUSTOMER, c.PRODUCTS))
    assert sorted((*row[:3], sorted(row[3])) for row in rows) == [
        ("1", FIRST, "ann", ["A", "B"]),
        ("2", FIRST, "ann", ["A"]),
        ("3", SECOND, "ann", ["A"]),
        ("5", THIRD, "bob", ["A"]),
        ("7", SECOND, None, ["A", "C"]),
    ]


def test_products_has_each_product_once_and_placeholders_for_missing_ones():
    def good(product, name, price, in_stock=True):
        values = (product, name, "tea", "Acme", price, in_stock, 1.5)
        return dict(zip(RAW_PRODUCTS.names, values, strict=True))

    listed = [
        good("B", "Mug", 5.0, False),
        good("A", "Tea", 1.0),
        good("B", "Cup", 6.0),
        good(None, "?", 1.0),
    ]
    never_null = RAW_PRODUCTS.set(5, pa.field(c.IN_STOCK, pa.bool_(), nullable=False))  # as Spark writes it
    rows = features.products(pa.Table.from_pylist(listed, schema=never_null), ["A", "0", "C", "0"])
    assert rows.schema.names == [*RAW_PRODUCTS.names, c.PLACEHOLDER]
    empty = dict.fromkeys(RAW_PRODUCTS.names)
    assert rows.to_pylist() == [
        empty | {c.PRODUCT: "0", c.NAME: "0", c.IN_STOCK: False, c.PLACEHOLDER: True},
        good("A", "Tea", 1.0) | {c.PLACEHOLDER: False},
        good("B", "Mug", 5.0, False) | {c.PLACEHOLDER: False},
        empty | {c.PRODUCT: "C", c.NAME: "C", c.IN_STOCK: False, c.PLACEHOLDER: True},
    ]
