"""One unusual day stops at most one run, and the shop's calendar widens the bounds."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

from expectations import suites
from expectations.measure import Measure
from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines.validate import measures, severity
from pipelines.validate import profile as p
from pipelines.validate import waterfall as w
from pipelines.validate.calendar import ORDINARY, Calendar

pytestmark = pytest.mark.fast

BLACK_FRIDAY = dt.date(2026, 11, 27)
COUNTS = (
    w.LINES,
    w.REVENUE,
    c.ORDERS,
    p.CUSTOMERS,
    p.KNOWN,
    p.PAIRS,
    p.KNOWN_PAIRS,
    p.SALES,
    p.TOP,
    w.PRICED,
)
RATES = (w.LOG_PIECES, w.GUESTS, w.LOG_PRICE, w.MOVED, p.RETURNS, p.COPIES, p.NEW, p.FIRST, p.UNLISTED)


def shop(days=80, last=BLACK_FRIDAY + dt.timedelta(days=8), seed=0, **factors):
    """The profile of a shop with about 100 orders a day; factors: by day as d2026_11_27, of its volume."""
    rng = np.random.default_rng(seed)
    index = pd.date_range(end=last, periods=days)
    volume = pd.Series(100 * rng.lognormal(0, 0.05, days), index)
    for day, factor in factors.items():
        volume[day[1:].replace("_", "-")] *= factor
    profile = pd.DataFrame(dict.fromkeys(COUNTS, volume), index)
    profile[[p.KNOWN, p.KNOWN_PAIRS, p.TOP]] *= [0.8, 0.5, 0.05]
    profile[list(RATES)] = 0.0
    profile[p.HOURS] = np.outer(volume, np.full(24, 1 / 24))
    return profile.assign(**{p.NUMBER: np.nan})


def stops(profile, as_of, passed, checked, calendar=ORDINARY):
    """The measures that stop the run of a day, each with its own day.

    passed, checked: the days of the last run that passed, and of the last run.
    """
    days = [passed + dt.timedelta(days=n) for n in range(1, (as_of - passed).days + 1)][-7:]
    known = profile[profile.index <= pd.Timestamp(as_of)]
    compared = severity.announced(measures.day_measures(known, days, calendar), calendar)
    results = severity.checked_before(compared, checked, thresholds())
    bounds = thresholds()
    return {
        (measure.name, measure.day)
        for suite in (bounds.orders, bounds.customers)
        for expectation in suites.expectations("any", suite, results)
        for measure in results
        if expectation.severity == "critical" and measure.name == expectation.measure
        if not _low(expectation) <= measure.value <= _high(expectation)
    }


def _low(expectation):
    return -math.inf if expectation.low is None else expectation.low


def _high(expectation):
    return math.inf if expectation.high is None else expectation.high


def nights(profile, first, count=8, calendar=ORDINARY):
    """The days on which consecutive nightly runs are stopped."""
    passed = checked = first - dt.timedelta(days=1)
    stopped = []
    for night in range(count):
        as_of = first + dt.timedelta(days=night)
        if stops(profile, as_of, passed, checked, calendar):
            stopped.append(as_of)
        else:
            passed = as_of
        checked = as_of
    return stopped


@pytest.mark.parametrize("factor", [0.1, 7, 20])
def test_one_unusual_day_stops_its_own_run_and_no_other(factor, seed):
    assert nights(shop(seed=seed, d2026_11_27=factor), BLACK_FRIDAY) == [BLACK_FRIDAY]


def test_a_sale_that_also_changes_prices_and_baskets_stops_its_own_run_only(seed):
    profile = shop(seed=seed, d2026_11_27=7)
    friday = pd.Timestamp(BLACK_FRIDAY)
    profile.loc[friday, w.LOG_PRICE] = profile.loc[friday, w.PRICED] * math.log(0.3)
    profile.loc[friday, w.MOVED] = profile.loc[friday, w.PRICED]
    profile.loc[friday, p.KNOWN] *= 0.1
    assert {name for name, _ in stops(profile, BLACK_FRIDAY, *[BLACK_FRIDAY - dt.timedelta(days=1)] * 2)} > {
        "moved_prices",
        "returning",
    }
    assert nights(profile, BLACK_FRIDAY) == [BLACK_FRIDAY]


def test_faulty_data_that_nobody_corrects_stops_the_next_run_again(seed):
    profile = shop(seed=seed)
    friday = pd.Timestamp(BLACK_FRIDAY)
    profile.loc[friday, w.LOG_PRICE] = profile.loc[friday, w.PRICED] * math.log(100)
    assert nights(profile, BLACK_FRIDAY, 3) == [BLACK_FRIDAY + dt.timedelta(days=n) for n in range(3)]
    copies = shop(seed=seed, d2026_11_27=7)
    copies.loc[friday, p.COPIES] = copies.loc[friday, c.ORDERS] * 0.8
    assert len(nights(copies, BLACK_FRIDAY, 3)) == 3


def test_days_that_no_run_has_checked_stop_a_late_run(seed):
    profile = shop(seed=seed, d2026_11_27=7)
    before = BLACK_FRIDAY - dt.timedelta(days=1)
    late = BLACK_FRIDAY + dt.timedelta(days=2)
    assert ("orders", BLACK_FRIDAY) in stops(profile, late, before, before)
    assert stops(profile, late, before, BLACK_FRIDAY) == set()


def test_an_unusual_day_leaves_the_usual_values_of_later_days_as_they_were(seed):
    """The Fridays after it are compared with a median, and a shop of two weeks with all its days."""
    profile = shop(seed=seed, last=BLACK_FRIDAY + dt.timedelta(days=30), d2026_11_27=7)
    later = nights(profile, BLACK_FRIDAY + dt.timedelta(days=1), 28)
    assert later == []
    young = shop(14, seed=seed, last=BLACK_FRIDAY + dt.timedelta(days=5), d2026_11_27=7)
    assert nights(young, BLACK_FRIDAY + dt.timedelta(days=1), 5) == []


SALE = {"days": ["2026-11-27/2026-11-29"], "factor": 8}


def test_the_calendar_allows_a_sale_and_no_more(seed):
    factors = {f"d2026_11_{day}": 7 for day in (27, 28, 29)}
    assert nights(shop(seed=seed, **factors), BLACK_FRIDAY, calendar=Calendar(sale=[SALE])) == []
    smaller = Calendar(sale=[SALE | {"factor": 1.1}])
    assert nights(shop(seed=seed, **factors), BLACK_FRIDAY, 1, smaller) == [BLACK_FRIDAY]
    assert nights(shop(seed=seed, d2026_11_27=0.1), BLACK_FRIDAY, 1, Calendar(sale=[SALE])) == [BLACK_FRIDAY]


def test_a_day_of_a_sale_may_also_sell_as_usual(seed):
    assert nights(shop(seed=seed), BLACK_FRIDAY, 1, Calendar(sale=[SALE])) == []


def test_other_prices_only_warn_on_a_day_of_a_sale(seed):
    profile = shop(seed=seed)
    friday = pd.Timestamp(BLACK_FRIDAY)
    profile.loc[friday, w.LOG_PRICE] = profile.loc[friday, w.PRICED] * math.log(0.3)
    assert nights(profile, BLACK_FRIDAY, 1) == [BLACK_FRIDAY]
    assert nights(profile, BLACK_FRIDAY, 1, Calendar(sale=[SALE])) == []


@pytest.mark.parametrize("sold", [0, 0.05])
def test_a_closed_day_stops_nothing(sold, seed):
    profile, before = shop(seed=seed, d2026_11_27=sold), [BLACK_FRIDAY - dt.timedelta(days=1)] * 2
    if not sold:
        profile.loc[pd.Timestamp(BLACK_FRIDAY)] = 0.0
    assert stops(profile, BLACK_FRIDAY, *before)
    assert not stops(profile, BLACK_FRIDAY, *before, Calendar(closed=["11-27"]))


def test_a_closed_fortnight_is_no_silence(seed):
    profile = shop(seed=seed)
    closed = profile.index > pd.Timestamp(BLACK_FRIDAY) - pd.Timedelta(days=10)
    profile.loc[closed] = 0.0
    days = profile[profile.index <= pd.Timestamp(BLACK_FRIDAY)]
    holidays = Calendar(closed=["2026-11-18/2026-11-27"])

    def values(calendar):
        checked = [BLACK_FRIDAY - dt.timedelta(days=1), BLACK_FRIDAY]
        return {m.name: m.value for m in measures.day_measures(days, checked, calendar)}

    assert (values(ORDINARY)["silence"], values(ORDINARY)["empty_days"]) == (10, 1)
    assert (values(holidays)["silence"], values(holidays)["empty_days"]) == (0, 0)


def test_days_of_the_calendar_do_not_change_what_is_usual(seed):
    """A sale of five weeks would otherwise be the usual."""
    weeks = {f"d{day:%Y_%m_%d}": 9 for day in pd.date_range("2026-10-23", "2026-11-26")}
    sale = Calendar(sale=[{"days": ["2026-10-23/2026-11-26"], "factor": 9}])
    profile = shop(seed=seed, **weeks)
    before = [BLACK_FRIDAY - dt.timedelta(days=1)] * 2
    assert stops(profile, BLACK_FRIDAY, *before) and not stops(profile, BLACK_FRIDAY, *before, sale)


def test_a_measure_that_only_warns_keeps_the_bounds_of_its_warning():
    measure = Measure("orders__checked_before", BLACK_FRIDAY, 7.0, "many", "ratio", 0.1)
    (expectation,) = suites.expectations("orders", thresholds().orders, [measure])
    warning = thresholds().orders["orders"]["warning"]
    assert (expectation.severity, expectation.measure) == ("warning", measure.name)
    assert (expectation.low, expectation.high) == suites.limits(warning, [measure])
    only_critical = Measure("pieces__checked_before", BLACK_FRIDAY, 7.0, "many", "ratio", 0.1)
    (expectation,) = suites.expectations("orders", thresholds().orders, [only_critical])
    assert expectation.severity == "warning"
