"""Orders of real shops' shapes through the row checks: an order is what the shop means by it."""

import datetime as dt
from collections import Counter

import pandas as pd
import pyarrow as pa
import pytest

from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines.extract.lines import order_lines
from pipelines.extract.mapping import Mapping
from pipelines.extract.staging import RAW_ORDERS
from pipelines.lake import engine
from pipelines.validate import outputs, row_checks
from pipelines.validate import waterfall as w
from serving.live.identity import Pseudonymiser

LINES = 6828
LAST = dt.date(2026, 12, 31)
PLAIN = {name: name for name in (c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE, c.NAME)}
PLAIN |= {c.ORDER_ID: c.ORDER_ID}
KEY = "a key for tests"


def received(mapping, *files, day=1):
    """The rows of files (name -> table of texts) in raw/, as the pull of a day brings them."""
    parts = []
    for page, (name, table) in enumerate(files):
        numbered = table.assign(**{"@folder": name.rpartition("/")[0]})
        rows = pa.Table.from_pandas(numbered.astype("string"), preserve_index=False)
        rows = rows.append_column(c.LINE, pa.array(range(2, len(table) + 2), pa.int64()))
        (lines,) = order_lines([rows], mapping, name)
        whole = lines.to_pandas().assign(**{c.SOURCE: name, c.PAGE: page})
        parts.append(whole.assign(**{c.EXTRACTED_AT: dt.datetime(2026, 12, day, tzinfo=dt.UTC)}))
    together = pd.concat(parts)
    together[[name for name in RAW_ORDERS.names if name not in together]] = None
    return pa.Table.from_pandas(together[RAW_ORDERS.names], RAW_ORDERS, preserve_index=False)


def checked(mapping, *pulls):
    raw = engine.table(pa.concat_tables(pulls))
    return row_checks.check(raw, mapping, LAST, thresholds().rows)


def counts(mapping, *pulls):
    """The waterfall of pulls, and the share of lines that share their order id with another customer."""
    tally = w.tally(checked(mapping, *pulls), None)
    shared = tally[w.SHARED].sum() / tally[w.LINES].sum()
    return w.waterfall(tally, sum(pull.num_rows for pull in pulls)), shared


def read(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_orders_that_are_no_purchases_are_left_out_and_counted_by_status(field):
    table = read(field("status/orders.csv"))
    rules = [
        {"reason": status, "column": "status", "values": [status.upper()]}
        for status in ("cancelled", "failed", "pending", "refunded")
    ]
    fates, _ = counts(mapping := Mapping(columns=PLAIN, leave_out=rules), received(mapping, ("a", table)))
    expected = Counter(table["status"])
    used = expected.pop("completed") + expected.pop("processing")
    assert fates.pop("used") == used < LINES == fates.pop("fetched") == len(table)
    assert {fate.removeprefix("left_out_"): n for fate, n in fates.items() if n} == expected


def test_free_lines_are_dropped_or_kept_and_fail_no_check(field):
    table = read(field("bundles/orders.csv"))
    free = (table["unit_price"].astype(float) == 0).sum()
    assert free > 0.1 * len(table)
    pull = received(mapping := Mapping(columns=PLAIN), ("a", table))
    fates, _ = counts(mapping, pull)
    assert (fates["free"], fates["used"], w.quarantined(fates)) == (free, len(table) - free, {})
    fates, _ = counts(Mapping(columns=PLAIN, free_lines="keep"), pull)
    assert (fates["used"], w.quarantined(fates)) == (len(table), {})


def test_a_key_with_the_store_keeps_orders_of_equal_numbers_apart(field):
    files = [
        (f"{store}/orders.csv", read(field(f"two-stores/in/{store}/orders.csv"))) for store in ("de", "fr")
    ]
    joined = Mapping(columns=PLAIN | {c.ORDER_ID: {"join": ["@folder", c.ORDER_ID]}})
    fates, shared = counts(joined, received(joined, *files))
    assert (fates["used"], fates["duplicate"], shared) == (13_492, 0, 0)
    plain = Mapping(columns=PLAIN)
    fates, shared = counts(plain, received(plain, *files))
    assert fates["used"] < 13_492 / 1.9
    assert shared > thresholds().orders["shared_ids"]["critical"].max


def sold(*orders):
    """A table of orders (number, status, currency, quantity, amount), each of one product."""
    rows = [(*order, "2026-11-30 10:00:00", f"c{order[0]}", "A", "Tea") for order in orders]
    names = (
        c.ORDER_ID,
        "status",
        "currency",
        c.QUANTITY,
        "total",
        c.ORDERED_AT,
        c.CUSTOMER,
        c.PRODUCT,
        c.NAME,
    )
    return pd.DataFrame(rows, columns=names)


MEANT = Mapping(
    columns={name: name for name in (c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.NAME)}
    | {c.AMOUNT: "total"},
    leave_out=[{"reason": "not_paid", "column": "status", "other_than": ["paid", "refund"]}],
    returns={"column": "status", "values": ["Refund"]},
    currency={"column": "currency", "to": "EUR", "rates": {"USD": 0.5}},
)


def learned(*pulls):
    """What is learned of each order: its quantity and its price."""
    orders = outputs.orders(checked(MEANT, *pulls), Pseudonymiser(KEY)).to_pyarrow().to_pylist()
    return {row[c.ORDER_ID]: (row[c.QUANTITY], row[c.UNIT_PRICE]) for row in orders if row[c.QUANTITY] > 0}


def test_an_order_that_is_cancelled_later_disappears_and_one_that_is_paid_later_appears():
    first = received(MEANT, ("1", sold(("1", "paid", "EUR", "1", "9"), ("2", "pending", "EUR", "1", "9"))))
    later = sold(("1", "cancelled", "EUR", "1", "9"), ("2", "paid", "EUR", "1", "9"))
    assert learned(first) == {"1": (1, 9)}
    second = received(MEANT, ("2", later), day=2)
    assert learned(first, second) == {"2": (1, 9)}
    fates, shared = counts(MEANT, first, second)
    assert ({fate: n for fate, n in fates.items() if n}, shared) == (
        {"fetched": 4, "duplicate": 2, "left_out_not_paid": 1, "used": 1},
        0,
    )


@pytest.mark.parametrize(
    ("status", "quantity", "amount"),
    [("paid", "-1", "9"), ("paid", "-1", "-9"), ("refund", "1", "9"), ("refund", "-1", "-9")],
)
def test_a_refund_in_any_usual_form_takes_away_what_it_returns(status, quantity, amount):
    orders = sold(
        ("part", "paid", "EUR", "3", "27"),
        ("part", status, "EUR", quantity, amount),
        ("full", "paid", "EUR", "1", "9"),
        ("full", status, "EUR", quantity, amount),
    )
    assert learned(received(MEANT, ("a", orders))) == {"part": (2, 9)}


def test_prices_are_of_one_currency_and_orders_in_an_unknown_one_are_left_out():
    orders = sold(
        ("1", "paid", "EUR", "2", "9"), ("2", "paid", " usd", "2", "9"), ("3", "paid", "SEK", "2", "90")
    )
    pull = received(MEANT, ("a", orders))
    assert learned(pull) == {"1": (2, 4.5), "2": (2, 2.25)}
    assert counts(MEANT, pull)[0]["left_out_other_currency"] == 1
