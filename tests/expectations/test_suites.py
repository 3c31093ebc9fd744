"""Bounds become expectations, expectations a suite of Great Expectations, measures the table it validates."""

import datetime as dt
import math

import pandas as pd
import pytest
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations import context, suites
from expectations.measure import Measure
from expectations.suites import Expectation
from expectations.thresholds import Bound

pytestmark = pytest.mark.fast

NIGHT = dt.date(2026, 1, 31)
BEFORE = dt.date(2026, 1, 30)


def measure(name="orders", day=NIGHT, value=1.0, scale="figure", spread=0.0):
    return Measure(name, day, value, "", scale, spread)


# min, max and spreads of the bound; scale and spread of the measure -> lowest and highest allowed value
LIMITS = [
    ((0.5, 3, 0), ("figure", 0), (0.5, 3)),
    ((0.5, 3, 4), ("figure", 9), (0.5, 3)),  # a figure has no spread
    ((0.5, 3, 4), ("ratio", 0), (0.5, 3)),
    ((0.5, 3, 4), ("ratio", 0.1), (0.5, 3)),
    ((0.5, 3, 4), ("ratio", 0.25), (math.exp(-1), 3)),  # 0.37 is beyond 0.5, but 2.7 isn't beyond 3
    ((0.5, 3, 4), ("ratio", 0.5), (math.exp(-2), math.exp(2))),
    ((-0.1, 0.2, 4), ("difference", 0), (-0.1, 0.2)),
    ((-0.1, 0.2, 4), ("difference", 0.04), (-0.16, 0.2)),
    ((-0.1, 0.2, 4), ("difference", 0.1), (-0.4, 0.4)),
    ((None, 3, 4), ("ratio", 0.5), (None, math.exp(2))),
    ((0.5, None, 4), ("ratio", 0.5), (math.exp(-2), None)),
    ((None, 0.2, 4), ("difference", 0.1), (None, 0.4)),
    ((None, 3, 0), ("figure", 0), (None, 3)),
]


@pytest.mark.parametrize(("bounds", "measured", "expected"), LIMITS)
def test_limits_are_the_bounds_or_the_spreads_whichever_is_further(bounds, measured, expected):
    low, high, spreads = bounds
    scale, spread = measured
    limits = suites.limits(
        Bound(min=low, max=high, spreads=spreads, why="an example"), [measure(scale=scale, spread=spread)]
    )
    assert limits == pytest.approx(expected)


def test_the_widest_spread_of_several_days_counts():
    measures = [measure(scale="difference", spread=spread) for spread in (0.1, 0.3, 0.2)]
    assert suites.limits(Bound(max=0.5, spreads=2, why="an example"), measures) == (None, pytest.approx(0.6))


def test_builds_an_expectation_per_bound_of_an_existing_measure():
    bounds = {
        "orders": {
            "critical": Bound(min=0.5, spreads=2, why="missing"),
            "warning": Bound(max=2, why="unusual"),
        },
        "silence": {"critical": Bound(max=7, why="nothing came")},
        "clock": {"critical": Bound(max=2, why="never measured")},
    }
    measures = [
        measure(day=BEFORE, scale="ratio", spread=1.0),
        measure(scale="ratio", spread=0.1),
        measure("silence"),
        measure("without a bound"),
    ]
    assert list(suites.expectations("a suite", bounds, measures)) == [
        Expectation("a suite", "orders", "critical", pytest.approx(math.exp(-2)), None, "missing"),
        Expectation("a suite", "orders", "warning", None, 2, "unusual"),
        Expectation("a suite", "silence", "critical", None, 7, "nothing came"),
    ]


def test_the_table_has_a_row_per_day_and_a_column_per_measure():
    table = context.table(
        [measure(value=0.5), measure("silence", value=3.0), measure(day=BEFORE, value=0.25)]
    )
    expected = {"day": ["2026-01-30", "2026-01-31"], "orders": [0.25, 0.5], "silence": [math.nan, 3.0]}
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected))


def test_the_suite_holds_the_expectations():
    expectations = [
        Expectation("of orders", "orders", "critical", 0.5, None, "missing"),
        Expectation("of orders", "orders", "warning", None, 2.0, "unusual"),
        Expectation("of orders", "clock", "critical", -1 / 3, 2.0, "another zone"),
    ]
    suite = context.suite("of orders", expectations)
    assert suite.name == "of orders"
    contents = [
        (item.column, item.min_value, item.max_value, item.severity, item.description)
        for item in suite.expectations
    ]
    assert contents == [
        ("orders", 0.5, None, FailureSeverity.CRITICAL, "orders is at least 0.5; otherwise: missing"),
        ("orders", None, 2.0, FailureSeverity.WARNING, "orders is at most 2; otherwise: unusual"),
        (
            "clock",
            -1 / 3,
            2.0,
            FailureSeverity.CRITICAL,
            "clock is at least -0.3333 and at most 2; otherwise: another zone",
        ),
    ]
