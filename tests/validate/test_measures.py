"""A day against its usual: every measure by hand, and what isn't measured for want of days."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

from pipelines import columns as c
from pipelines.validate import measures as m
from pipelines.validate import profile as p
from pipelines.validate import sequence
from pipelines.validate import waterfall as w

NIGHT = dt.date(2026, 1, 31)  # a Saturday
SUMS = [w.LINES, w.REVENUE, w.LOG_PIECES, w.GUESTS, w.PRICED, w.LOG_PRICE, w.MOVED, p.RETURNS]
COUNTS = [c.ORDERS, p.COPIES, p.CUSTOMERS, p.KNOWN, p.PAIRS, p.KNOWN_PAIRS]
COLUMNS = [*SUMS, *COUNTS, *p.HOURS, p.NUMBER, p.SALES, p.TOP, p.FIRST, p.NEW, p.UNLISTED]
# The columns in the same order as COLUMNS, without hours and numbers of orders.
NAMES = [name for name in COLUMNS if name not in (*p.HOURS, p.NUMBER)]
USUAL = [100, 1000, 100 * math.log(2), 10, 80, 0, 8, 5, 50, 1, 40, 20, 60, 30, 75, 5, 6, 15, 3]
TONIGHT = [
    50,
    2000,
    50 * math.log(3),
    10,
    40,
    40 * math.log(1.5),
    8,
    10,
    40,
    2,
    30,
    10,
    20,
    5,
    80,
    8,
    9,
    40,
    8,
]

# measure -> its value for TONIGHT after days of USUAL, and how it is told
RATIOS = {
    "lines": (50 / 100, "50 order lines, usual is 100"),
    "orders": (40 / 50, "40 orders, usual is 50"),
    "revenue": (2000 / 1000, "revenue of 2,000, usual is 1,000"),
    "basket": ((80 / 40) / (75 / 50), "2.00 products in an order, usual is 1.50"),
    "pieces": (3 / 2, "3.00 pieces in a typical order line, usual is 2.00"),
    "prices": (1.5, "prices 1.50 times the products' own median, usual is 1.00"),
    "customers": (30 / 40, "30 customers, usual is 40"),
    "returning": ((10 / 30) / (20 / 40), "33% of the customers bought before, usual is 50%"),
    "bought_again": (
        (5 / 20) / (30 / 60),
        "25% of what known customers bought they bought again, usual is 50%",
    ),
}
DIFFERENCES = {
    "moved_prices": (
        8 / 40 - 8 / 80,
        "20.0% of the prices are twice or half the products' own median, usual is 10.0%",
    ),
    "returns": (10 / 50 - 5 / 100, "20.0% of the order lines are returns, usual is 5.0%"),
    "copies": (2 / 40 - 1 / 50, "5.0% of the orders repeat another to the second, usual is 2.0%"),
    "busiest_hour": (0, "0% of the orders came within one hour, usual is 0%"),
    "top_product": (8 / 40 - 5 / 50, "20.0% of the orders hold the same product, usual is 10.0%"),
    "new_products": (40 / 80 - 15 / 75, "50.0% of the sales are of products never sold, usual is 20.0%"),
    "guests": (10 / 50 - 10 / 100, "20.0% of the order lines name no customer, usual is 10.0%"),
    "unlisted": (
        8 / 80 - 3 / 75,
        "10.0% of the sales are of products that the catalogue lacks, usual is 4.0%",
    ),
}


def series(*values, last=NIGHT):
    """A value per day, the last of them on a day."""
    return pd.Series(values, pd.date_range(end=last, periods=len(values)), float)


def made(*days):
    """The profile of days, each the values of NAMES; the last of them is the night."""
    table = pd.DataFrame(0.0, pd.date_range(end=NIGHT, periods=len(days)), COLUMNS)
    table[NAMES] = np.array(days, float)
    return table.assign(**{p.NUMBER: np.nan})


def ago(count):
    return NIGHT - dt.timedelta(days=count)


def taken(days, judged=(NIGHT,)):
    """The measures of days, by name and day."""
    found = list(m.of_days(days, list(judged)))
    by_name = {(one.name, one.day): one for one in found}
    assert len(by_name) == len(found)
    return by_name


def measured(days, judged=(NIGHT,)):
    return {key: one.value for key, one in taken(days, judged).items()}


# usual


def test_the_usual_is_the_median_of_the_same_weekday():
    week = [10] * 6
    values = series(*week, 40, *week, 18, *week, 22, *week, 20, last=ago(7))
    assert m.usual(values, NIGHT, NIGHT, "difference") == (21, 0)
    assert m.usual(values, ago(1), NIGHT, "difference") == (10, 0)


def test_with_less_than_four_of_a_weekday_all_days_are_taken_together():
    values = series(*[10] * 6, 40, *[10] * 6, 40, *[10] * 6, 40, last=ago(7))
    assert m.usual(values, NIGHT, NIGHT, "difference") == (10, 0)


def test_less_than_a_week_tells_of_no_usual():
    values = series(10, 12, 8, 11, 9, 14, 100, last=ago(1))
    assert m.usual(values.iloc[1:], NIGHT, NIGHT, "difference") is None
    assert m.usual(values.replace(9, np.nan), NIGHT, NIGHT, "difference") is None
    assert m.usual(values, NIGHT, NIGHT, "difference") is not None


def test_the_spread_is_the_scaled_median_deviation():
    # The median is 11, the days are 1, 1, 3, 0, 2, 3, 89 off it, and the median of those is 2.
    values = series(10, 12, 8, 11, 9, 14, 100, last=ago(1))
    assert m.usual(values, NIGHT, NIGHT, "difference") == (11, pytest.approx(1.4826 * 2))


def test_the_spread_of_a_ratio_is_in_logarithms_of_days_with_a_value():
    # Off the median 8 by 3, 2, 1, 0, 1, 2, 3 doublings.
    values = series(1, 2, 4, 8, 16, 32, 64, last=ago(1))
    assert m.usual(values, NIGHT, NIGHT, "ratio") == (8, pytest.approx(1.4826 * 2 * math.log(2)))
    # Off the median 4 by 2, 1, 0, 1, 2, 3 doublings; nothing is doubled to get to zero.
    values = series(0, 1, 2, 4, 8, 16, 32, last=ago(1))
    assert m.usual(values, NIGHT, NIGHT, "ratio") == (4, pytest.approx(1.4826 * 1.5 * math.log(2)))
    assert m.usual(series(*[0] * 7, last=ago(1)), NIGHT, NIGHT, "ratio") == (0, 0)


WOBBLE = [10 * day + off for off in (-3, -1, 1, 3) for day in range(7)]  # every weekday has its own level


def test_the_spread_is_around_each_weekdays_own_median():
    assert m.usual(series(*WOBBLE, last=ago(1)), NIGHT, NIGHT, "difference") == (0, pytest.approx(1.4826 * 2))
    assert m.usual(series(*WOBBLE, last=ago(1)), ago(1), NIGHT, "difference")[0] == 60


def test_one_strange_day_changes_little():
    strange = series(*WOBBLE[:20], 10**6, *WOBBLE[21:], last=ago(1))
    # Of the other six weekdays 12 days are 1 off and 12 are 3 off; of this one 4, 2, 2 and a million.
    assert m.usual(strange, ago(1), NIGHT, "difference") == (61, pytest.approx(1.4826 * 2.5))


def test_the_usual_is_that_of_the_eight_weeks_before():
    weeks = [week for week in range(1, 9) for _ in range(7)]
    values = series(*[1000] * 30, *weeks, *[1000] * 3)
    before = ago(2)
    for day in (before, NIGHT):
        assert m.usual(values, day, before, "ratio")[0] == 4.5


def test_a_day_that_was_open_by_exception_has_no_part_in_the_spread():
    # Saturdays are 3, 1.5, 4/3 and 8/3 times off their median 24; on another day nothing is usual.
    values = series(*([0] * 6 + [8] + [0] * 6 + [16] + [0] * 6 + [32] + [5] * 6 + [64]), last=ago(7))
    assert m.usual(values, NIGHT, NIGHT, "ratio") == (24, pytest.approx(1.4826 * math.log(2)))


# of_days


@pytest.mark.parametrize("name", [*RATIOS, *DIFFERENCES])
def test_a_measure_by_hand(name):
    found = taken(made(*[USUAL] * 10, TONIGHT))[name, NIGHT]
    value, told = (RATIOS | DIFFERENCES)[name]
    assert found.value == pytest.approx(value)
    assert found.told == told
    assert found.scale == ("ratio" if name in RATIOS else "difference")
    assert found.spread == pytest.approx(0)


def test_no_measure_is_left_untested():
    assert (m.RATIOS.keys(), m.DIFFERENCES.keys()) == (RATIOS.keys(), DIFFERENCES.keys())


def test_an_ordinary_day_is_as_usual():
    found = measured(made(*[USUAL] * 11))
    assert {name: found[name, NIGHT] for name in RATIOS} == pytest.approx(dict.fromkeys(RATIOS, 1))
    assert {name: found[name, NIGHT] for name in DIFFERENCES} == pytest.approx(dict.fromkeys(DIFFERENCES, 0))


def test_the_spread_of_a_measure_comes_with_it():
    days = [[value * factor for value in USUAL] for factor in (1, 2, 4, 8, 16, 32, 64, 8)]
    found = taken(made(*days))
    assert found["orders", NIGHT].spread == pytest.approx(1.4826 * 2 * math.log(2))
    assert found["basket", NIGHT].spread == pytest.approx(0)


def test_of_an_empty_night_only_counts_are_told():
    found = measured(made(*[USUAL] * 10, [0] * len(NAMES)))
    assert {name: value for (name, _), value in found.items() if name in RATIOS or name in DIFFERENCES} == {
        "lines": 0,
        "orders": 0,
        "revenue": 0,
        "customers": 0,
    }


def test_a_shop_that_never_sold_has_no_usual():
    found = measured(made(*[[0] * len(NAMES)] * 10, TONIGHT))
    assert set(found) == {("silence", NIGHT), ("empty_days", NIGHT)}


def test_each_judged_day_is_held_against_the_days_before_all_of_them():
    found = measured(made(*[USUAL] * 10, *[TONIGHT] * 7), judged=[ago(1), NIGHT])
    assert found["orders", ago(1)] == found["orders", NIGHT] == 0.8  # ten days as USUAL, five as TONIGHT
    found = measured(made(*[USUAL] * 8, *[TONIGHT] * 7), judged=[ago(day) for day in range(6, -1, -1)])
    assert [found["orders", ago(day)] for day in range(7)] == [0.8] * 7


def test_a_young_shop_isnt_held_against_itself():
    found = measured(made(*[USUAL] * 3), judged=[ago(day) for day in range(6, -1, -1)])
    assert {name for name, _ in found} == {"silence", "empty_days"}


def test_an_empty_day_before_the_last_is_counted_and_not_judged():
    days = made(*[USUAL] * 10, [0] * len(NAMES), TONIGHT)
    found = taken(days, judged=[ago(1), NIGHT])
    assert {day for _, day in found} == {NIGHT}
    assert found["empty_days", NIGHT].value == 1
    assert measured(days.iloc[:-1].set_index(days.index[1:]))["empty_days", NIGHT] == 0  # the last itself


def test_a_day_on_which_the_shop_is_always_closed_is_no_empty_day():
    week = [USUAL] * 6 + [[0] * len(NAMES)]  # closed on Fridays
    days = made(*week * 5, USUAL)
    assert measured(days, judged=[ago(1), NIGHT])["empty_days", NIGHT] == 0


def test_all_days_together():
    found = {one.name: one for one in m.of_all(made(*[USUAL] * 3, TONIGHT), NIGHT)}
    assert {name: one.value for name, one in found.items()} == pytest.approx(
        {
            "copied_orders": (3 * 1 + 2) / (3 * 50 + 40),
            "products": 3 * 6 + 9,
            "all_customers": 3 * (40 - 20) + (30 - 10),
        }
    )
    assert found["copied_orders"].told == "2.6% of all orders repeat another to the second"
    nothing = m.of_all(made([0] * len(NAMES)), NIGHT)
    assert [one.value for one in nothing] == [0, 0, 0]


# clock

OPEN = np.array([0] * 8 + [20, 40, 60, 80, 100, 80, 60, 60, 80, 120, 100, 60, 20, 0, 0, 0])


def by_hour(*days):
    """The profile of days by their orders in each hour."""
    table = made(*[USUAL] * len(days))
    table[p.HOURS] = np.array(days, float)
    return table


@pytest.mark.parametrize("hours", [-11, -5, -1, 0, 1, 3, 8, 12])
def test_the_clock_is_off_by_as_much_as_the_orders_are(hours):
    found = taken(by_hour(*[OPEN] * 10, np.roll(OPEN, hours)))["clock", NIGHT]
    assert found.value == hours
    assert found.told == f"orders come {hours:+d} hours off their usual time of day"


@pytest.mark.parametrize("closed", [range(14), range(10), range(15, 24)])
def test_a_shop_that_opened_late_or_closed_early_isnt_in_another_zone(closed):
    late = np.where(np.isin(np.arange(24), closed), 0, OPEN)
    assert measured(by_hour(*[OPEN] * 10, late))["clock", NIGHT] == 0


def test_an_ordinary_day_isnt_off_whatever_the_hours_of_its_orders(seed):
    rng = np.random.default_rng(seed)
    for count in (50, 200, 2000):
        days = rng.multinomial(count, OPEN / OPEN.sum(), size=29)
        assert measured(by_hour(*days))["clock", NIGHT] == 0


def test_orders_that_lost_their_time_of_day_all_came_within_one_hour():
    midnight = [OPEN.sum()] + [0] * 23
    days = by_hour(*[OPEN] * 10, midnight).assign(**{c.ORDERS: OPEN.sum()})
    assert measured(days)["busiest_hour", NIGHT] == pytest.approx(1 - 120 / OPEN.sum())


def test_few_orders_tell_nothing_of_the_clock():
    few = np.roll(OPEN, 5) // 25
    assert few.sum() < sequence.ORDERS <= OPEN.sum()
    assert ("clock", NIGHT) not in measured(by_hour(*[OPEN] * 10, few))
    assert ("clock", NIGHT) not in measured(by_hour(*[few] * 10, OPEN))
    assert ("clock", NIGHT) not in measured(by_hour(*[few] * 10, *[OPEN] * 6, OPEN))


def test_the_clock_goes_by_the_last_four_weeks():
    assert measured(by_hour(*[OPEN] * 100, *[np.roll(OPEN, 2)] * 29))["clock", NIGHT] == 0


# order ids


def numbered(*numbers, judged=(NIGHT,)):
    """The measure of the order ids by day, where the days have these typical ids."""
    days = made(*[USUAL] * len(numbers)).assign(**{p.NUMBER: np.array(numbers, float)})
    return {day: value for (name, day), value in measured(days, judged).items() if name == "order_ids"}


STEPS = range(1000, 2000, 100)  # the ids of ten days


@pytest.mark.parametrize(
    ("number", "steps"), [(2000, 1), (1950, 0.5), (1900, 0), (1, -18.99), (101_900, 1000)]
)
def test_order_ids_go_on_by_steps(number, steps):
    assert numbered(*STEPS, number) == {NIGHT: pytest.approx(steps)}


def test_the_steps_of_order_ids_are_those_since_the_last_day_before():
    found = numbered(*STEPS, 2000, 2100, judged=[ago(1), NIGHT])
    assert found == pytest.approx({ago(1): 1, NIGHT: 1})


def test_order_ids_that_dont_rise_or_are_no_numbers_tell_nothing():
    assert numbered(*[np.nan] * 11) == {}
    assert numbered(*STEPS, np.nan) == {}
    assert numbered(*[5, 3] * 5, 1) == {}
    assert numbered(*STEPS[:6], 1600) == {}  # six days before are too few


# silence


@pytest.mark.parametrize("silent", [0, 1, 3])
def test_silence_is_how_long_ago_the_last_order_was(silent):
    found = taken(made(*[USUAL] * 10, *[[0] * len(NAMES)] * silent))["silence", NIGHT]
    assert (found.value, found.told) == (silent, f"{silent} days since the last order")
