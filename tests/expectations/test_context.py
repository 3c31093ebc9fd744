"""The checkpoint reports the expectations that a run doesn't meet, builds Data Docs, and logs quietly."""

import datetime as dt
import html
import math
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from expectations import context
from expectations.findings import Finding, unmet
from expectations.measure import Measure
from expectations.suites import Expectation

NIGHT = dt.date(2026, 1, 31)
DAYS = [NIGHT - dt.timedelta(days=ago) for ago in (2, 1, 0)]
MISSING = Expectation("orders", "orders", "critical", 0.5, 4.0, "orders are missing")
UNUSUAL = Expectation("orders", "orders", "warning", 0.8, None, "an unusual day")
SILENT = Expectation("orders", "silence", "critical", None, 7.0, "nothing came")
NEWCOMERS = Expectation("customers", "returning", "warning", 0.7, None, "many new customers")
EXPECTATIONS = [MISSING, UNUSUAL, SILENT, NEWCOMERS]


def orders(*values):
    return [
        Measure("orders", day, value, f"{value:.0%} of the orders", "ratio")
        for day, value in zip(DAYS, values, strict=True)
    ]


def silence(days):
    return Measure("silence", NIGHT, days, f"{days:.0f} days since the last order")


def returning(value, day=NIGHT):
    return Measure("returning", day, value, f"{value:.0%} bought before", "ratio")


GOOD = [*orders(1.0, 0.9, 1.1), silence(0.0), returning(1.0)]


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    """A home for checks whose Data Docs no test reads."""
    return tmp_path_factory.mktemp("home")


def check(home, measures, expectations=EXPECTATIONS, night=NIGHT):
    """Returns the findings of a checkpoint, which are those that a check of a source finds without one."""
    findings = context.check(home, night, expectations, measures)
    assert unmet(expectations, measures) == findings
    return findings


def test_a_good_run_meets_every_expectation(shared_home):
    assert check(shared_home, GOOD) == []


def test_findings_hold_the_days_outside_the_range(shared_home):
    far, near, fine = orders(0.3, 0.7, 1.0)
    findings = check(shared_home, [far, near, fine, silence(8.0), returning(0.5)])
    assert findings == [
        Finding(MISSING, (far,)),
        Finding(UNUSUAL, (far, near)),
        Finding(SILENT, (silence(8.0),)),
        Finding(NEWCOMERS, (returning(0.5),)),
    ]
    assert str(findings[0]) == "Thu 2026-01-29: 30% of the orders (orders are missing)"
    assert str(findings[1]) == (
        "Thu 2026-01-29: 30% of the orders; Fri 2026-01-30: 70% of the orders (an unusual day)"
    )


def test_a_day_outside_the_warning_range_only_gives_a_warning(shared_home):
    near = orders(1.0, 1.0, 0.7)
    assert check(shared_home, [*near, silence(0.0), returning(1.0)]) == [Finding(UNUSUAL, (near[2],))]


def test_a_value_above_the_upper_bound_is_a_finding(shared_home):
    many = orders(1.0, 4.5, 1.0)
    assert check(shared_home, [*many, silence(0.0), returning(1.0)]) == [Finding(MISSING, (many[1],))]


def test_the_bounds_belong_to_the_range(shared_home):
    assert check(shared_home, [*orders(0.8, 4.0, 0.8), silence(7.0), returning(0.7)]) == []


def test_a_missing_value_is_no_finding(shared_home):
    assert check(shared_home, [*orders(1.0, math.nan, 1.0), silence(0.0), returning(1.0)]) == []
    # Measures may exist for different days.
    assert check(shared_home, [returning(1.0, day=DAYS[0]), orders(1.0, 1.0, 1.0)[2], silence(0.0)]) == []


def test_the_checkpoint_and_the_measures_of_a_finding_agree(shared_home, seed):
    rng = random.Random(seed)
    for _ in range(5):
        measures = [*orders(*(rng.uniform(0, 5) for _ in DAYS)), silence(rng.uniform(0, 14))]
        expectations = [
            Expectation("orders", name, severity, rng.choice([None, low]), high, "an example")
            for name, low, high in (("orders", 0.5, rng.uniform(1, 5)), ("silence", 1.0, rng.uniform(2, 14)))
            for severity in ("critical", "warning")
        ]
        expected = [
            Finding(item, outside)
            for item in expectations
            if (outside := tuple(row for row in measures if row.name == item.measure and beyond(row, item)))
        ]
        assert check(shared_home, measures, expectations) == expected


def beyond(measure, expectation):
    low, high = expectation.low, expectation.high
    return measure.value > high or (low is not None and measure.value < low)


# Data Docs


def site(home):
    (folder,) = home.glob("expectations/**/local_site")
    return folder


def pages(home):
    """The text of the validation pages, by suite and nightly run."""
    return {
        (page.relative_to(site(home)).parts[1], page.relative_to(site(home)).parts[2]): words(page)
        for page in site(home).glob("validations/**/*.html")
    }


def words(page):
    """The text of a page without markup."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.read_text())))


def test_data_docs_have_a_page_per_suite_and_run_and_an_index(tmp_path):
    check(tmp_path, [*orders(0.3, 1.0, 1.0), silence(0.0), returning(1.0)])
    first = pages(tmp_path)
    assert {suite for suite, _ in first} == {"orders", "customers"}
    (text,) = (page for (suite, _), page in first.items() if suite == "orders")
    assert "Failed" in text
    for expectation in (MISSING, UNUSUAL, SILENT):
        assert expectation.why in text
    following = NIGHT + dt.timedelta(days=1)
    check(tmp_path, GOOD, night=following)
    both = pages(tmp_path)
    assert first.items() <= both.items()
    assert len(both) == 4
    index = (site(tmp_path) / "index.html").read_text()
    assert [index.count(f"'night-{night}'") for night in (NIGHT, following)] == [2, 2]  # one per suite


def test_messages_of_measures_are_not_written_to_disk(tmp_path):
    phone = "+7 (916) 539-6205"
    check(
        tmp_path,
        [*orders(0.1, 1.0, 1.0), Measure("silence", NIGHT, 9.0, f"the last was {phone}"), returning(1.0)],
    )
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if phone in path.read_text(errors="replace")] == []


# Log and analytics


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The log records of two checks in another process (logger, level, file), its last line, its stderr."""
    script, home = Path(__file__).with_name("check_with_info_log.py"), tmp_path_factory.mktemp("home")
    process = subprocess.run([sys.executable, script, home], check=True, capture_output=True, text=True)
    *records, last = process.stdout.splitlines()
    return [record.split(maxsplit=2) for record in records], last, process.stderr


def test_great_expectations_logs_nothing_below_warning(log):
    records, _, errors = log
    assert records[-1][:2] == ["tests", "INFO"]
    quiet = {"DEBUG", "INFO"}
    assert [name for name, level, file in records if level in quiet and "great_expectations" in file] == []
    assert [name for name, level, _ in records if level in quiet and name != "tests"] == []
    assert "%|" not in errors  # a progress bar


def test_analytics_are_off_in_the_environment_and_in_the_context(log, tmp_path):
    assert log[1] == "analytics false"
    assert context._open(tmp_path).config.analytics_enabled is False
    assert context._open(tmp_path).variables.analytics_enabled is False
