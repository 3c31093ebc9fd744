"""The waterfall adds up, and the tally tells tonight's lines from older ones."""

import datetime as dt
import math

import pandas as pd
import pytest

from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines.extract.source import Dialect
from pipelines.validate import row_checks
from pipelines.validate import waterfall as w

NIGHT = dt.date(2026, 1, 31)
COLUMNS = (
    f"{c.ORDER_ID} string, {c.LINE} long, {c.ORDERED_AT} string, {c.CUSTOMER} string, {c.PRODUCT} string,"
    f" {c.QUANTITY} string, {c.UNIT_PRICE} string, {c.NAME} string, {c.CATEGORY} string, {c.BRAND} string,"
    f" {c.FAULT} string, {c.SOURCE} string, {c.PAGE} long, {c.EXTRACTED_AT} timestamp"
)


def tallied(*fates):
    """A tally of (fate, tonight, lines)."""
    return pd.DataFrame(fates, columns=[row_checks.FATE, w.TONIGHT, w.LINES])


def test_the_waterfall_goes_from_fetched_to_used_and_adds_up():
    found = w.waterfall(
        tallied(
            ("used", True, 50),
            ("used", False, 20),
            ("no_product", True, 1),
            ("bad_price", False, 3),
            ("returned", False, 5),
            ("later_than_the_night", True, 4),
        ),
        fetched=90,
    )
    assert list(found.items()) == [
        ("fetched", 90),
        ("duplicate", 7),
        ("later_than_the_night", 4),
        ("bad_price", 3),
        ("no_product", 1),
        ("returned", 5),
        ("used", 70),
    ]
    assert found["fetched"] == sum(found.values()) - found["fetched"]


def test_where_nothing_is_good_nothing_is_used():
    assert w.waterfall(tallied(("no_product", True, 3)), 3) == {
        "fetched": 3,
        "duplicate": 0,
        "no_product": 3,
        "returned": 0,
        "used": 0,
    }


def test_tonights_lines_are_those_received_since_the_last_night_that_passed():
    told = tallied(("used", True, 50), ("used", False, 20), ("no_product", True, 1))
    assert w.of_tonight(told) == {"used": 50, "no_product": 1}


def test_what_rules_set_aside_comes_with_the_most_first():
    counts = {"fetched": 9, "used": 1, "later_than_the_night": 2, "a": 1, "c": 2, "b": 2}
    assert list(w.quarantined(counts).items()) == [("b", 2), ("c", 2), ("a", 1)]


@pytest.fixture(scope="module")
def judged(spark):
    """Ten lines of a product at 10.00, and of the last of them what each row says instead."""
    first, second = dt.datetime(2026, 1, 31), dt.datetime(2026, 2, 1)
    said = [("2", "10", "ann", first)] * 9
    said += [("2", "25", None, second), ("-8", "5", "ann", second), ("1", "0", "ann", second)]
    lines = [
        (str(n), 0, "2026-01-30 10:00:00", who, "A", units, paid, *[None] * 4, "here", 1, at)
        for n, (units, paid, who, at) in enumerate(said)
    ]
    raw = spark.createDataFrame(lines, COLUMNS)
    return row_checks.judge(raw, Dialect(guests=True), NIGHT, thresholds().rows)


def test_a_tally_sums_what_a_day_is_judged_by(judged):
    found = w.tally(judged, (dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC), NIGHT)).set_index(
        [row_checks.FATE, w.TONIGHT]
    )
    assert set(found[c.DAY]) == {dt.date(2026, 1, 30)}
    old, new = found.loc[("used", False)], found.loc[("used", True)]
    assert (old[w.LINES], old[w.REVENUE], old[w.GUESTS], old[w.PRICED], old[w.MOVED]) == (9, 180, 0, 9, 0)
    assert (old[w.LOG_PRICE], old[w.LOG_PIECES]) == pytest.approx((0, 9 * math.log(2)))
    assert (new[w.LINES], new[w.REVENUE], new[w.GUESTS], new[w.PRICED], new[w.MOVED]) == (1, 50, 1, 1, 1)
    assert new[w.LOG_PRICE] == pytest.approx(math.log(2.5))
    back = found.loc[("returned", True)]
    assert (back[w.REVENUE], back[w.MOVED]) == (-40, 1)  # half of the price counts as moved
    assert back[w.LOG_PIECES] == pytest.approx(math.log(8))
    assert found.loc[("bad_price", True), w.PRICED] == 0


def test_what_came_before_but_is_of_a_later_day_is_tonights(judged):
    day_before = dt.date(2026, 1, 29)
    assert w.tally(judged, (dt.datetime(2026, 3, 1, tzinfo=dt.UTC), day_before))[w.TONIGHT].all()
    assert not w.tally(judged, (dt.datetime(2026, 3, 1, tzinfo=dt.UTC), NIGHT))[w.TONIGHT].any()


def test_on_a_first_night_all_lines_are_tonights(judged):
    assert w.tally(judged, None)[w.TONIGHT].all()
