"""DuckDB and Spark make the same tables of the same orders."""

import datetime as dt
import random

import pyarrow as pa
import pytest

from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines.extract.mapping import Mapping
from pipelines.extract.staging import RAW_ORDERS
from pipelines.lake import engine
from pipelines.prepare import features
from pipelines.settings import settings
from pipelines.validate import largest_customer, outputs, profile, row_checks, waterfall
from serving.live.identity import Pseudonymiser

AS_OF = dt.date(2026, 11, 8)
LINES = 1_500
# What a column holds, mostly and at times.
DRAWN = {
    c.CUSTOMER: (["+7 916 539-62-05", "8 (916) 539-62-05", "anna@shop.example", "c7"], [None, "guest", "0"]),
    c.PRODUCT: (["A", "B", "C", "Ä €"], [None, " ", "POST"]),
    c.QUANTITY: (["1", "2", "3.5"], ["-1", "-2", "0", "two", "NaN", "1e9", "1_0", " 2 ", None]),
    c.UNIT_PRICE: (["9.90", "10", "12.5"], ["0", "-1", "free", "9999", None, "Infinity"]),
    c.GROUP: (["France", " France ", "Spain"], ["", None]),
    c.WEIGHT: (["1.5"], ["a lot", None]),
    c.LEFT_OUT: ([None], ["cancelled"]),
    c.FAULT: ([None], ["is no UTF-8"]),
    c.NAME: (["Tea", "Mug"], [None]),
}
OFFSETS = ["", "Z", "+03:00", " UTC", "-05:30", " -05:30", "+0100", " +0100", "+01"]


def drawn_lines(rng):
    """Lines of some 400 orders, several versions of some, with everything that row checks look for."""
    columns = {name: [] for name in RAW_ORDERS.names}
    for number in range(LINES):
        row = {
            name: rng.choice(rare if rng.random() < 0.06 else usual) for name, (usual, rare) in DRAWN.items()
        }
        day = AS_OF - dt.timedelta(days=rng.choice([*range(20), -1]))
        time = f"{day} {rng.randrange(24):02}:{rng.randrange(60):02}"
        time += rng.choice([":00", ":00.5", ":00.1234567"]) + rng.choice(OFFSETS)
        row |= {
            c.ORDERED_AT: rng.choice([time] * 30 + ["soon", "infinity", str(day), f" {time} ", None]),
            c.LINE: number,
        }
        row |= {c.ORDER_ID: rng.choice([str(rng.randrange(400))] * 50 + [None]), c.PAGE: rng.randrange(3)}
        row |= {c.SOURCE: rng.choice(["a.csv", "b.csv"]), c.CHANGED_AT: rng.choice([None, time])}
        row[c.EXTRACTED_AT] = dt.datetime(2026, 11, 9, rng.randrange(3), tzinfo=dt.UTC)
        for name, values in columns.items():
            values.append(row.get(name))
    return pa.table(columns, RAW_ORDERS)


def made(raw, dialect):
    """Everything that is made of raw lines, by name, each as sorted rows."""
    identify = Pseudonymiser("a key for tests")
    checked = engine.cached(row_checks.check(engine.table(raw), dialect, AS_OF, thresholds().rows))
    tallied = waterfall.tally(checked, (dt.datetime(2026, 11, 9, 1, tzinfo=dt.UTC), AS_OF))
    orders = engine.cached(outputs.orders(checked, identify))
    listed = engine.table(pa.table({c.PRODUCT: ["A", "C"]}))
    days = profile.profile(tallied, orders, listed, AS_OF)
    tables = {
        "quarantine": outputs.quarantine(checked, "run", identify),
        "orders": orders,
        "goods": outputs.goods(checked),
        "interactions": features.interactions(orders, AS_OF),
        "groups": features.groups(orders),
    }
    results = {name: rows(table.to_pyarrow()) for name, table in tables.items()}
    baskets = features.baskets(orders, AS_OF).to_pyarrow().to_pylist()
    results["baskets"] = sorted(repr({**row, c.PRODUCTS: sorted(row[c.PRODUCTS])}) for row in baskets)
    results["tally"] = rows(pa.Table.from_pandas(tallied, preserve_index=False))
    results["days"] = rows(pa.Table.from_pandas(days.reset_index(), preserve_index=False))
    results["sample"] = rows(profile.sample(orders))
    results["largest"] = largest_customer.largest_customer(orders, AS_OF)
    return results


def rows(table):
    """The rows as sorted texts, numbers rounded: sums depend on their order in the last digits."""
    return sorted(
        repr({name: _plain(value) for name, value in sorted(row.items())}) for row in table.to_pylist()
    )


def _plain(value):
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None)
    return f"{value:.9g}" if isinstance(value, int | float) else value


@pytest.mark.parametrize(
    ("zone", "split"),
    [("UTC", False), ("Europe/Berlin", True)],
    ids=["whole orders", "orders over files"],
)
def test_both_make_the_same_tables(home, spark, monkeypatch, seed, zone, split):
    raw = drawn_lines(random.Random(seed))
    dialect = Mapping(
        columns=dict.fromkeys((c.ORDER_ID, c.UNIT_PRICE), "a column"),
        file={"split_orders": split},
        not_products="^POST$",
        guests=True,
        timezone=zone,
    )
    monkeypatch.setenv("NIGHTSHELF_TIMEZONE", zone)
    settings.cache_clear()
    by_duckdb = made(raw, dialect)
    monkeypatch.setenv("NIGHTSHELF_SPARK_MASTER", "local[*]")
    settings.cache_clear()
    by_spark = made(raw, dialect)
    for name, expected in by_duckdb.items():
        assert by_spark[name] == expected, name
    assert all(by_duckdb.values())
