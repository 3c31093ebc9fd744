"""The waterfall adds up, and the tally separates new lines from older ones."""

import datetime as dt
import math

import pandas as pd
import pytest
from frames import frame

from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines.extract.source import Dialect
from pipelines.validate import row_checks
from pipelines.validate import waterfall as w

NIGHT = dt.date(2026, 1, 31)
COLUMNS = (
    f"{c.ORDER_ID} string, {c.LINE} long, {c.ORDERED_AT} string, {c.CUSTOMER} string, {c.PRODUCT} string,"
    f" {c.QUANTITY} string, {c.UNIT_PRICE} string, {c.NAME} string, {c.CATEGORY} string, {c.BRAND} string,"
    f" {c.FAULT} string, {c.LEFT_OUT} string, {c.CHANGED_AT} string, {c.SOURCE} string, {c.PAGE} long,"
    f" {c.EXTRACTED_AT} timestamp"
)


def tallied(*fates):
    """A tally of (fate, is_new, lines)."""
    return pd.DataFrame(fates, columns=[row_checks.FATE, w.IS_NEW, w.LINES])


def test_the_waterfall_goes_from_fetched_to_used_and_adds_up():
    counts = w.waterfall(
        tallied(
            ("used", True, 50),
            ("used", False, 20),
            ("no_product", True, 1),
            ("bad_price", False, 3),
            ("returned", False, 5),
            ("later_than_the_night", True, 4),
            ("left_out_cancelled", True, 2),
            ("left_out_refunded", True, 1),
            ("left_out_refunded", False, 3),
        ),
        fetched=96,
    )
    assert list(counts.items()) == [
        ("fetched", 96),
        ("duplicate", 7),
        ("left_out_refunded", 4),
        ("left_out_cancelled", 2),
        ("later_than_the_night", 4),
        ("bad_price", 3),
        ("no_product", 1),
        ("returned", 5),
        ("used", 70),
    ]
    assert counts["fetched"] == sum(counts.values()) - counts["fetched"]


def test_no_line_is_used_if_all_fail():
    assert w.waterfall(tallied(("no_product", True, 3)), 3) == {
        "fetched": 3,
        "duplicate": 0,
        "no_product": 3,
        "returned": 0,
        "used": 0,
    }


def test_many_reasons_to_leave_lines_out_are_counted_together():
    reasons = [(f"left_out_reason_{number:02}", True, 50 - number) for number in range(25)]
    counts = w.waterfall(tallied(*reasons), 2000)
    assert len([fate for fate in counts if fate.startswith("left_out_")]) == w.MAX_REASONS + 1
    assert counts["left_out_other_reasons"] == sum(50 - number for number in range(20, 25))
    assert counts["fetched"] == sum(counts.values()) - counts["fetched"]


def test_counts_the_new_lines_by_fate():
    tally = tallied(("used", True, 50), ("used", False, 20), ("no_product", True, 1))
    assert w.new_lines(tally) == {"used": 50, "no_product": 1}


def test_quarantined_lines_come_by_row_check_largest_first():
    counts = {"fetched": 9, "used": 1, "later_than_the_night": 2, "a": 1, "c": 2, "b": 2}
    assert list(w.quarantined(counts).items()) == [("b", 2), ("c", 2), ("a", 1)]


@pytest.fixture(scope="module")
def checked():
    """Nine lines of a product at 10.00, then three lines that were received later."""
    first, second = dt.datetime(2026, 1, 31), dt.datetime(2026, 2, 1)
    values = [("2", "10", "ann", first)] * 9
    values += [("2", "25", None, second), ("-8", "5", "ann", second), ("1", "x", "ann", second)]
    lines = [
        (str(n), 0, "2026-01-30 10:00:00", customer, "A", units, paid, *[None] * 6, "here", 1, received)
        for n, (units, paid, customer, received) in enumerate(values)
    ]
    raw = frame(lines, COLUMNS)
    return row_checks.check(raw, Dialect(guests=True), NIGHT, thresholds().rows)


def test_the_tally_sums_lines_by_fate_and_is_new(checked):
    tally = w.tally(checked, (dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC), NIGHT)).set_index(
        [row_checks.FATE, w.IS_NEW]
    )
    assert set(tally[c.DAY]) == {pd.Timestamp(2026, 1, 30)}
    old, new = tally.loc[("used", False)], tally.loc[("used", True)]
    assert (old[w.LINES], old[w.REVENUE], old[w.GUESTS], old[w.PRICED], old[w.MOVED]) == (9, 180, 0, 9, 0)
    assert (old[w.LOG_PRICE], old[w.LOG_PIECES]) == pytest.approx((0, 9 * math.log(2)))
    assert (new[w.LINES], new[w.REVENUE], new[w.GUESTS], new[w.PRICED], new[w.MOVED]) == (1, 50, 1, 1, 1)
    assert new[w.LOG_PRICE] == pytest.approx(math.log(2.5))
    returned = tally.loc[("returned", True)]
    assert (returned[w.REVENUE], returned[w.MOVED]) == (-40, 1)  # half of the price counts as moved
    assert returned[w.LOG_PIECES] == pytest.approx(math.log(8))
    assert tally.loc[("bad_price", True), w.PRICED] == 0


def test_lines_of_a_later_day_are_new_even_if_received_before(checked):
    day_before = dt.date(2026, 1, 29)
    assert w.tally(checked, (dt.datetime(2026, 3, 1, tzinfo=dt.UTC), day_before))[w.IS_NEW].all()
    assert not w.tally(checked, (dt.datetime(2026, 3, 1, tzinfo=dt.UTC), NIGHT))[w.IS_NEW].any()


def test_all_lines_of_a_first_run_are_new(checked):
    assert w.tally(checked, None)[w.IS_NEW].all()
