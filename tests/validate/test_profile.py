"""The profile of a few days, compared with counts made by hand."""

import datetime as dt

import pandas as pd
import pytest
from frames import frame

from pipelines import columns as c
from pipelines.validate import profile as p
from pipelines.validate import row_checks
from pipelines.validate import waterfall as w

FIRST, THIRD, FOURTH = dt.date(2026, 1, 1), dt.date(2026, 1, 3), dt.date(2026, 1, 4)
SCHEMA = (
    f"{c.ORDER_ID} string, {c.ORDERED_AT} timestamp, {c.CUSTOMER} string, {c.PRODUCT} string,"
    f" {c.QUANTITY} double, {c.UNIT_PRICE} double"
)
# (order, time, customer, quantity by product); the second and the fourth day have no orders
ORDERS = [
    ("1", "2026-01-01 08:00:00", "ann", {"A": 1, "B": 2}),
    ("2", "2026-01-01 08:30:00", "bob", {"A": 1}),
    ("9", "2026-01-01 23:59:59", None, {"A": 1}),
    ("3", "2026-01-01 09:00:00", "bob", {"D": -1}),  # a return is no sale: D is sold first on the third day
    ("11", "2026-01-03 08:00:00", "ann", {"A": 1, "B": 2}),  # a copy of order 1
    ("12", "2026-01-03 08:00:00", "ann", {"A": 1, "B": 3}),  # another quantity
    ("13", "2026-01-03 09:00:00", "bob", {"C": 1}),
    ("14", "2026-01-03 23:59:58", None, {"A": 2}),
    ("15", "2026-01-03 08:30:00", "cyd", {"A": 1}),  # not the customer of order 2
    ("16", "2026-01-03 08:00:01", "ann", {"A": 1, "B": 2}),  # a second later
    ("18", "2026-01-03 11:00:00", None, {"D": 1}),
]
TALLY = [c.DAY, row_checks.FATE, w.IS_NEW, *p.SUMS]
TALLIED = [
    (FIRST, "used", False, 3, 30.0, 0.5, 1, 2, 0.25, 1),
    (FIRST, "used", True, 1, 7.0, 0.25, 0, 1, 0.5, 0),
    (FIRST, "returned", False, 2, -5.0, 0.0, 1, 1, -0.25, 1),
    (FIRST, "bad_price", False, 50, 0.0, 9.0, 9, 9, 9.0, 9),
    (THIRD, "used", True, 10, 99.0, 1.0, 2, 8, 2.0, 3),
    (dt.date(2026, 1, 9), "later_than_the_night", True, 4, 4.0, 4.0, 4, 4, 4.0, 4),
    (None, "unparsable_time", True, 4, 4.0, 4.0, 4, 4, 4.0, 4),
]


def table(orders):
    lines = [
        (order, dt.datetime.fromisoformat(f"{at}+00:00"), customer, product, float(pieces), 1.0)
        for order, at, customer, content in orders
        for product, pieces in content.items()
    ]
    return frame(lines, SCHEMA)


def profiled(orders, tallied=TALLIED, listed=None, until=FOURTH):
    catalogue = listed and frame([(product,) for product in listed], f"{c.PRODUCT} string")
    return p.profile(pd.DataFrame(tallied, columns=TALLY), table(orders), catalogue, until)


@pytest.fixture(scope="module")
def days():
    return profiled(ORDERS, listed=["A", "B", "D", "never sold"])


def column(days, name):
    return days[name].tolist()


# column -> its value on each of the four days
COUNTS = {
    w.LINES: [6, 0, 10, 0],
    w.REVENUE: [32, 0, 99, 0],
    w.LOG_PIECES: [0.75, 0, 1, 0],
    w.GUESTS: [2, 0, 2, 0],
    w.PRICED: [4, 0, 8, 0],
    w.LOG_PRICE: [0.5, 0, 2, 0],
    w.MOVED: [2, 0, 3, 0],
    p.RETURNS: [2, 0, 0, 0],
    c.ORDERS: [3, 0, 7, 0],
    p.COPIES: [0, 0, 1, 0],
    p.CUSTOMERS: [2, 0, 3, 0],
    p.KNOWN: [0, 0, 2, 0],  # ann and bob
    p.PAIRS: [0, 0, 3, 0],  # ann and A, ann and B, bob and C
    p.KNOWN_PAIRS: [0, 0, 2, 0],  # ann's
    p.SALES: [4, 0, 10, 0],
    p.TOP: [3, 0, 5, 0],
    p.FIRST: [2, 0, 2, 0],  # A and B, then C and D
    p.NEW: [4, 0, 2, 0],
    p.UNLISTED: [0, 0, 1, 0],  # C
    "hour_08": [2, 0, 4, 0],
    "hour_09": [0, 0, 1, 0],  # the return isn't counted
    "hour_11": [0, 0, 1, 0],
    "hour_23": [1, 0, 1, 0],
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_column_equals_the_counts_by_hand(days, name):
    assert column(days, name) == COUNTS[name]


def test_has_one_row_per_day_and_no_other_columns(days):
    assert list(days.index) == list(pd.date_range(FIRST, FOURTH))
    assert days.index.name == c.DAY
    assert set(days) == {*COUNTS, *p.HOURS, p.NUMBER, p.TOP_PRODUCT}
    quiet = set(p.HOURS) - set(COUNTS)
    assert not days[sorted(quiet)].any(axis=None)


def test_order_id_and_best_seller_are_null_on_days_without_orders(days):
    assert column(days, p.NUMBER)[::2] == [2, 14]  # of 1, 2, 9; of 11 to 16 and 18
    assert column(days, p.TOP_PRODUCT)[::2] == ["A", "A"]
    assert days[[p.NUMBER, p.TOP_PRODUCT]].iloc[[1, 3]].isna().all(axis=None)


def test_no_sale_is_unlisted_without_a_catalogue():
    assert column(profiled(ORDERS), p.UNLISTED) == [0, 0, 0, 0]


def test_handles_order_ids_of_letters_and_orders_without_customers():
    orders = [("web-1", "2026-01-01 08:00:00", None, {"A": 1})]
    days = profiled(orders, TALLIED[:1], until=FIRST)
    assert column(days, c.ORDERS) == [1]
    assert column(days, p.CUSTOMERS) == column(days, p.KNOWN) == column(days, p.PAIRS) == [0]
    assert days[p.NUMBER].isna().all()


def test_the_sample_holds_each_customer_once_sorted(monkeypatch):
    sample = p.sample(table(ORDERS))
    assert sample.column_names == [c.CUSTOMER, p.LAST_DAY]
    assert sample[c.CUSTOMER].to_pylist() == ["ann", "bob", "cyd"]
    assert sample[p.LAST_DAY].to_pylist() == [THIRD] * 3
    monkeypatch.setattr(p, "SAMPLE", 1)
    assert p.sample(table(ORDERS))[c.CUSTOMER].to_pylist() == ["ann", "bob"]
