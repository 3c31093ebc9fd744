"""Bounds become rules of the night, rules become expectations, measures a table that they look at."""

import datetime as dt
import math

import pandas as pd
import pytest
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations import suites
from expectations.measure import Measure
from expectations.suites import Rule
from expectations.thresholds import Bound

NIGHT = dt.date(2026, 1, 31)
BEFORE = dt.date(2026, 1, 30)


def measure(name="orders", day=NIGHT, value=1.0, scale="figure", spread=0.0):
    return Measure(name, day, value, "", scale, spread)


# the bound's min, max and spreads; the measure's scale and spread -> from where to where it may lie
LIMITS = [
    ((0.5, 3, 0), ("figure", 0), (0.5, 3)),
    ((0.5, 3, 4), ("figure", 9), (0.5, 3)),  # a figure varies from nothing
    ((0.5, 3, 4), ("ratio", 0), (0.5, 3)),
    ((0.5, 3, 4), ("ratio", 0.1), (0.5, 3)),
    ((0.5, 3, 4), ("ratio", 0.25), (math.exp(-1), 3)),  # 0.37 is further than 0.5, 2.7 is not than 3
    ((0.5, 3, 4), ("ratio", 0.5), (math.exp(-2), math.exp(2))),
    ((-0.1, 0.2, 4), ("difference", 0), (-0.1, 0.2)),
    ((-0.1, 0.2, 4), ("difference", 0.04), (-0.16, 0.2)),
    ((-0.1, 0.2, 4), ("difference", 0.1), (-0.4, 0.4)),
    ((None, 3, 4), ("ratio", 0.5), (None, math.exp(2))),
    ((0.5, None, 4), ("ratio", 0.5), (math.exp(-2), None)),
    ((None, 0.2, 4), ("difference", 0.1), (None, 0.4)),
    ((None, 3, 0), ("figure", 0), (None, 3)),
]


@pytest.mark.parametrize(("bounds", "varied", "expected"), LIMITS)
def test_a_measure_may_be_off_by_its_bounds_or_its_spreads_whichever_is_further(bounds, varied, expected):
    low, high, spreads = bounds
    scale, spread = varied
    found = suites.limits(
        Bound(min=low, max=high, spreads=spreads, why="an example"), [measure(scale=scale, spread=spread)]
    )
    assert found == pytest.approx(expected)


def test_of_several_days_the_widest_spread_counts():
    taken = [measure(scale="difference", spread=spread) for spread in (0.1, 0.3, 0.2)]
    assert suites.limits(Bound(max=0.5, spreads=2, why="an example"), taken) == (None, pytest.approx(0.6))


def test_a_rule_for_each_bound_of_a_measure_that_was_taken():
    bounds = {
        "orders": {
            "critical": Bound(min=0.5, spreads=2, why="missing"),
            "warning": Bound(max=2, why="unusual"),
        },
        "silence": {"critical": Bound(max=7, why="nothing came")},
        "clock": {"critical": Bound(max=2, why="never measured")},
    }
    taken = [
        measure(day=BEFORE, scale="ratio", spread=1.0),
        measure(scale="ratio", spread=0.1),
        measure("silence"),
        measure("of no bound"),
    ]
    assert list(suites.rules("a suite", bounds, taken)) == [
        Rule("a suite", "orders", "critical", pytest.approx(math.exp(-2)), None, "missing"),
        Rule("a suite", "orders", "warning", None, 2, "unusual"),
        Rule("a suite", "silence", "critical", None, 7, "nothing came"),
    ]


def test_the_table_has_a_row_per_day_and_a_column_per_measure():
    found = suites.table([measure(value=0.5), measure("silence", value=3.0), measure(day=BEFORE, value=0.25)])
    expected = {"day": ["2026-01-30", "2026-01-31"], "orders": [0.25, 0.5], "silence": [math.nan, 3.0]}
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected))


def test_a_suite_expects_what_its_rules_say():
    held = [
        Rule("of orders", "orders", "critical", 0.5, None, "missing"),
        Rule("of orders", "orders", "warning", None, 2.0, "unusual"),
        Rule("of orders", "clock", "critical", -1 / 3, 2.0, "another zone"),
    ]
    found = suites.suite("of orders", held)
    assert found.name == "of orders"
    told = [
        (one.column, one.min_value, one.max_value, one.severity, one.description)
        for one in found.expectations
    ]
    assert told == [
        ("orders", 0.5, None, FailureSeverity.CRITICAL, "orders is at least 0.5, or else: missing"),
        ("orders", None, 2.0, FailureSeverity.WARNING, "orders is at most 2, or else: unusual"),
        (
            "clock",
            -1 / 3,
            2.0,
            FailureSeverity.CRITICAL,
            "clock is at least -0.3333 and at most 2, or else: another zone",
        ),
    ]
