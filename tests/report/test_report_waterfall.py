"""The report's section on order lines."""

import re

import pytest
from runs import record

from pipelines.report.waterfall import waterfall

pytestmark = pytest.mark.fast

BAR = re.compile(r'<rect x="([\d.]+)%".*? width="([\d.]+)%"')
LINES = {
    "fetched": 1000.0,
    "duplicate": 100.0,
    "left_out_cancelled": 10.0,
    "left_out_unpaid": 20.0,
    "later_than_the_night": 20.0,
    "bad_price": 10.0,
    "no_customer": 40.0,
    "no_product": 0.0,
    "returned": 20.0,
    "used": 780.0,
}


def test_each_bar_ends_where_the_previous_one_starts():
    section = waterfall(record(metrics={f"rows_{outcome}": lines for outcome, lines in LINES.items()}))
    bars = {row.name: [float(number) for number in BAR.search(row.bar).groups()] for row in section.rows}
    assert bars == {
        "fetched": [0, 100],
        "duplicate": [90, 10],
        "left out unpaid": [88, 2],
        "left out cancelled": [87, 1],
        "later than the night": [85, 2],
        "no customer": [81, 4],
        "bad price": [80, 1],
        "returned": [78, 2],
        "used": [0, 78],
    }
    assert section.sentence == (
        "Of 1,000 order lines, 780 (78 %) are used for training; 100 are duplicates,"
        " the mapping leaves out 30, 2 row checks quarantined 50 and 20 are returns."
    )


def test_a_run_that_checked_no_lines_says_so():
    section = waterfall(record(status="FAILED"))
    assert (section.sentence, section.rows) == (
        "No order lines were checked: the nightly run did not complete step validate.",
        [],
    )
