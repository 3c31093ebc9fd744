"""The measure of an id that stands for many people: such an id exceeds the bound, no person does."""

import csv
import datetime as dt
from itertools import islice

import pandas as pd
import pyarrow as pa
import pytest

from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines.demo.dirt import Dirt
from pipelines.demo.shop import Shop
from pipelines.lake import engine
from pipelines.validate.largest_customer import largest_customer

LIMIT = thresholds().customers["largest_customer"]["warning"].max
TEXTS = [(name, pa.string()) for name in (c.ORDER_ID, c.CUSTOMER)]
SCHEMA = pa.schema([*TEXTS, (c.ORDERED_AT, pa.timestamp("us", "UTC")), (c.QUANTITY, pa.float64())])
AS_OF = dt.date(2026, 11, 29)


def measure(orders, as_of):
    """Returns the measure of orders: rows of order, customer and time."""
    rows = pd.DataFrame(orders, columns=[c.ORDER_ID, c.CUSTOMER, c.ORDERED_AT]).astype(object)
    rows[c.ORDERED_AT] = pd.to_datetime(rows[c.ORDERED_AT], utc=True)
    rows = (
        rows.drop_duplicates(c.ORDER_ID)
        .astype({c.ORDER_ID: str, c.CUSTOMER: str})
        .assign(**{c.QUANTITY: 1.0})
    )
    return largest_customer(engine.table(pa.Table.from_pandas(rows, SCHEMA, preserve_index=False)), as_of)


def shop_orders(customers, orders, shared=0.0):
    """Orders of eight weeks, each customer's as many, a share of them under one id."""
    start = dt.datetime(2026, 10, 6, 12)
    ids = ["shared" if n < shared * orders else f"c{n % customers}" for n in range(orders)]
    return [(n, customer, start + dt.timedelta(days=n % 54)) for n, customer in enumerate(ids)]


@pytest.mark.parametrize(
    ("customers", "orders", "shared"), [(300, 2_000, 0.4), (300, 2_000, 0.1), (10_000, 20_000, 0.02)]
)
def test_an_id_of_many_people_exceeds_the_bound(customers, orders, shared):
    assert measure(shop_orders(customers, orders, shared), AS_OF).value > LIMIT


@pytest.mark.parametrize(
    ("customers", "orders", "share"), [(300, 2_000, 0.0), (12, 40, 0.3), (5, 20, 0.5), (100, 400, 0.12)]
)
def test_a_busy_person_stays_within_the_bound(customers, orders, share):
    assert measure(shop_orders(customers, orders, share), AS_OF).value < LIMIT


def test_guests_under_one_id_exceed_the_bound(data):
    with data("../field/woo-guest-zero/orders.csv").open() as file:
        orders = [(row["order_id"], row["customer"], row["ordered_at"]) for row in csv.DictReader(file)]
    as_customer = [(order, "G" if customer == "0" else customer, at) for order, customer, at in orders]
    assert measure(as_customer, AS_OF).value > 3 * LIMIT
    others = [order for order in orders if order[1] != "0"]
    assert measure(others, AS_OF).value < LIMIT / 2


def test_no_orders_stay_within_the_bound():
    assert measure(shop_orders(10, 10), dt.date(2027, 3, 1)).value == 0


def test_the_demo_shop_stays_within_the_bound():
    shop = Shop(start=dt.date(2026, 9, 1))
    dirt = Dirt(shop)
    orders = [
        (order["id"], order["clientTel"], order["createdAt"][:10])
        for day in islice(shop.days(), 56)
        for order in dirt.listing(day).orders
        if order["clientTel"]
    ]
    assert measure(orders, dt.date(2026, 10, 26)).value < LIMIT / 2


@pytest.mark.parametrize("until", ["2010-03-01", "2010-12-09", "2011-06-01", "2011-12-09"])
def test_the_largest_buyer_of_online_retail_ii_stays_within_the_bound(data, until):
    names = ["InvoiceNo", "CustomerID", "InvoiceDate", "Quantity"]
    rows = pd.read_parquet(data("online_retail_ii.parquet"), columns=names).dropna()
    rows = rows[(rows["Quantity"] > 0) & (rows["InvoiceDate"] < pd.Timestamp(until) + pd.Timedelta(days=1))]
    rows = rows[rows["InvoiceDate"] > pd.Timestamp(until) - pd.Timedelta(days=56)]
    orders = rows[names[:3]].drop_duplicates("InvoiceNo").values.tolist()
    assert 0.1 < measure(orders, dt.date.fromisoformat(until)).value < LIMIT / 1.5
