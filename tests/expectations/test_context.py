"""What the checkpoint finds of a night's measures, and the Data Docs that it leaves."""

import datetime as dt
import html
import math
import random
import re

import pytest

from expectations import context
from expectations.context import Finding
from expectations.measure import Measure
from expectations.suites import Rule

NIGHT = dt.date(2026, 1, 31)
DAYS = [NIGHT - dt.timedelta(days=ago) for ago in (2, 1, 0)]
MISSING = Rule("orders", "orders", "critical", 0.5, 4.0, "orders are missing")
UNUSUAL = Rule("orders", "orders", "warning", 0.8, None, "an unusual day")
SILENT = Rule("orders", "silence", "critical", None, 7.0, "nothing came")
STRANGERS = Rule("customers", "returning", "warning", 0.7, None, "many new customers")
RULES = [MISSING, UNUSUAL, SILENT, STRANGERS]


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
def anywhere(tmp_path_factory):
    """A home for checks that don't look at what is left there."""
    return tmp_path_factory.mktemp("home")


def check(home, measures, rules=RULES, night=NIGHT):
    return context.check(home, night, rules, measures)


def test_a_good_night_breaks_no_rule(anywhere):
    assert check(anywhere, GOOD) == []


def test_what_a_night_breaks_is_found_with_the_days_that_broke_it(anywhere):
    far, near, fine = orders(0.3, 0.7, 1.0)
    found = check(anywhere, [far, near, fine, silence(8.0), returning(0.5)])
    assert found == [
        Finding(MISSING, (far,)),
        Finding(UNUSUAL, (far, near)),
        Finding(SILENT, (silence(8.0),)),
        Finding(STRANGERS, (returning(0.5),)),
    ]
    assert str(found[0]) == "Thu 2026-01-29: 30% of the orders (orders are missing)"
    assert str(found[1]) == (
        "Thu 2026-01-29: 30% of the orders; Fri 2026-01-30: 70% of the orders (an unusual day)"
    )


def test_a_warning_alone_is_no_critical_finding(anywhere):
    near = orders(1.0, 1.0, 0.7)
    assert check(anywhere, [*near, silence(0.0), returning(1.0)]) == [Finding(UNUSUAL, (near[2],))]


def test_more_than_the_most_is_found_too(anywhere):
    many = orders(1.0, 4.5, 1.0)
    assert check(anywhere, [*many, silence(0.0), returning(1.0)]) == [Finding(MISSING, (many[1],))]


def test_the_bounds_themselves_are_within(anywhere):
    assert check(anywhere, [*orders(0.8, 4.0, 0.8), silence(7.0), returning(0.7)]) == []


def test_a_day_that_couldnt_be_measured_is_no_failure(anywhere):
    assert check(anywhere, [*orders(1.0, math.nan, 1.0), silence(0.0), returning(1.0)]) == []
    # Each measure may be taken of other days.
    assert check(anywhere, [returning(1.0, day=DAYS[0]), orders(1.0, 1.0, 1.0)[2], silence(0.0)]) == []


def test_the_checkpoint_and_the_sentences_agree(anywhere, seed):
    rng = random.Random(seed)
    for _ in range(5):
        measures = [*orders(*(rng.uniform(0, 5) for _ in DAYS)), silence(rng.uniform(0, 14))]
        rules = [
            Rule("orders", name, severity, rng.choice([None, low]), high, "an example")
            for name, low, high in (("orders", 0.5, rng.uniform(1, 5)), ("silence", 1.0, rng.uniform(2, 14)))
            for severity in ("critical", "warning")
        ]
        expected = [
            Finding(rule, outside)
            for rule in rules
            if (outside := tuple(one for one in measures if one.name == rule.measure and beyond(one, rule)))
        ]
        assert check(anywhere, measures, rules) == expected


def beyond(measure, rule):
    return measure.value > rule.high or (rule.low is not None and measure.value < rule.low)


# Data Docs


def site(home):
    (found,) = home.glob("expectations/**/local_site")
    return found


def pages(home):
    """The text of the pages on what was validated, by suite and night."""
    return {
        (page.relative_to(site(home)).parts[1], page.relative_to(site(home)).parts[2]): words(page)
        for page in site(home).glob("validations/**/*.html")
    }


def words(page):
    """What a page says, without markup."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.read_text())))


def test_data_docs_tell_of_each_night_and_the_index_names_them(tmp_path):
    check(tmp_path, [*orders(0.3, 1.0, 1.0), silence(0.0), returning(1.0)])
    first = pages(tmp_path)
    assert {suite for suite, _ in first} == {"orders", "customers"}
    (told,) = (page for (suite, _), page in first.items() if suite == "orders")
    assert "Failed" in told
    for rule in (MISSING, UNUSUAL, SILENT):
        assert rule.why in told
    following = NIGHT + dt.timedelta(days=1)
    check(tmp_path, GOOD, night=following)
    both = pages(tmp_path)
    assert first.items() <= both.items()
    assert len(both) == 4
    index = (site(tmp_path) / "index.html").read_text()
    assert [index.count(f"'night-{night}'") for night in (NIGHT, following)] == [2, 2]  # one per suite


def test_no_sentence_of_a_measure_is_left_on_the_disk(tmp_path):
    phone = "+7 (916) 539-6205"
    check(tmp_path, [*orders(0.1, 1.0, 1.0), Measure("silence", NIGHT, 9.0, f"the last was {phone}")])
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert [path.name for path in kept if phone in path.read_text(errors="replace")] == []
