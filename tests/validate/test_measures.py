"""Every measure of a day is compared with its usual value; with too few days there is no measure."""

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

pytestmark = pytest.mark.fast

NIGHT = dt.date(2026, 1, 31)  # a Saturday
SUMS = [w.LINES, w.REVENUE, w.LOG_PIECES, w.GUESTS, w.PRICED, w.LOG_PRICE, w.MOVED, p.RETURNS]
COUNTS = [c.ORDERS, p.COPIES, p.CUSTOMERS, p.KNOWN, p.PAIRS, p.KNOWN_PAIRS]
COLUMNS = [*SUMS, *COUNTS, *p.HOURS, p.NUMBER, p.SALES, p.TOP, p.FIRST, p.NEW, p.UNLISTED]
# COLUMNS without the hours and the order ids.
NAMES = [name for name in COLUMNS if name not in (*p.HOURS, p.NUMBER)]
USUAL = [100, 1000, 100 * math.log(2), 10, 80, 0, 8, 5, 50, 1, 40, 20, 60, 30, 75, 5, 6, 15, 3]
TODAY = [
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

# measure -> its value for TODAY after days of USUAL, and its message
RATIOS = {
    "lines": (50 / 100, "50 order lines, usual is 100"),
    "orders": (40 / 50, "40 orders, usual is 50"),
    "revenue": (2000 / 1000, "revenue of 2,000, usual is 1,000"),
    "basket": ((80 / 40) / (75 / 50), "2.00 products per order, usual is 1.50"),
    "pieces": (3 / 2, "3.00 pieces in a typical order line, usual is 2.00"),
    "prices": (1.5, "prices at 1.50 times the products' medians, usual is 1.00"),
    "customers": (30 / 40, "30 customers, usual is 40"),
    "returning": ((10 / 30) / (20 / 40), "33% of the customers had bought before, usual is 50%"),
    "bought_again": (
        (5 / 20) / (30 / 60),
        "25% of returning customers' purchases are repeats, usual is 50%",
    ),
}
DIFFERENCES = {
    "moved_prices": (
        8 / 40 - 8 / 80,
        "20.0% of the prices are at least double or at most half the product's median, usual is 10.0%",
    ),
    "returns": (10 / 50 - 5 / 100, "20.0% of the order lines are returns, usual is 5.0%"),
    "copies": (2 / 40 - 1 / 50, "5.0% of the orders are copies of an earlier order, usual is 2.0%"),
    "busiest_hour": (0, "0% of the orders came within one hour, usual is 0%"),
    "top_product": (8 / 40 - 5 / 50, "20.0% of the orders hold the same product, usual is 10.0%"),
    "new_products": (
        40 / 80 - 15 / 75,
        "50.0% of the sales are of products never sold before, usual is 20.0%",
    ),
    "guests": (10 / 50 - 10 / 100, "20.0% of the order lines name no customer, usual is 10.0%"),
    "unlisted": (
        8 / 80 - 3 / 75,
        "10.0% of the sales are of products missing from the catalogue, usual is 4.0%",
    ),
}


def series(*values, last=NIGHT):
    """Values of consecutive days that end with the day `last`."""
    return pd.Series(values, pd.date_range(end=last, periods=len(values)), float)


def profile(*days):
    """A profile of consecutive days, each the values of NAMES; the last is the day of the run."""
    table = pd.DataFrame(0.0, pd.date_range(end=NIGHT, periods=len(days)), COLUMNS)
    table[NAMES] = np.array(days, float)
    return table.assign(**{p.NUMBER: np.nan})


def ago(count):
    return NIGHT - dt.timedelta(days=count)


def measures(days, checked=(NIGHT,)):
    """The measures of the checked days, by name and day."""
    results = list(m.day_measures(days, list(checked)))
    by_key = {(measure.name, measure.day): measure for measure in results}
    assert len(by_key) == len(results)
    return by_key


def values(days, checked=(NIGHT,)):
    return {key: measure.value for key, measure in measures(days, checked).items()}


# usual


def test_the_usual_value_is_the_median_of_the_same_weekday():
    week = [10] * 6
    values = series(*week, 40, *week, 18, *week, 22, *week, 20, last=ago(7))
    assert m.usual(values, NIGHT, NIGHT, "difference") == (21, 0)
    assert m.usual(values, ago(1), NIGHT, "difference") == (10, 0)


def test_all_days_count_if_there_are_fewer_than_four_of_the_weekday():
    values = series(*[10] * 6, 40, *[10] * 6, 40, *[10] * 6, 40, last=ago(7))
    assert m.usual(values, NIGHT, NIGHT, "difference") == (10, 0)


def test_less_than_a_week_has_no_usual_value():
    values = series(10, 12, 8, 11, 9, 14, 100, last=ago(1))
    assert m.usual(values.iloc[1:], NIGHT, NIGHT, "difference") is None
    assert m.usual(values.replace(9, np.nan), NIGHT, NIGHT, "difference") is None
    assert m.usual(values, NIGHT, NIGHT, "difference") is not None


def test_the_spread_is_the_scaled_median_deviation():
    # The median is 11; the deviations 1, 1, 3, 0, 2, 3 and 89 have the median 2.
    values = series(10, 12, 8, 11, 9, 14, 100, last=ago(1))
    assert m.usual(values, NIGHT, NIGHT, "difference") == (11, pytest.approx(1.4826 * 2))


def test_the_spread_of_a_ratio_is_in_logarithms_of_days_with_a_value():
    # The days deviate from the median 8 by 3, 2, 1, 0, 1, 2 and 3 doublings.
    values = series(1, 2, 4, 8, 16, 32, 64, last=ago(1))
    assert m.usual(values, NIGHT, NIGHT, "ratio") == (8, pytest.approx(1.4826 * 2 * math.log(2)))
    # The days deviate from the median 4 by 2, 1, 0, 1, 2 and 3 doublings; the day with zero has no logarithm.
    values = series(0, 1, 2, 4, 8, 16, 32, last=ago(1))
    assert m.usual(values, NIGHT, NIGHT, "ratio") == (4, pytest.approx(1.4826 * 1.5 * math.log(2)))
    assert m.usual(series(*[0] * 7, last=ago(1)), NIGHT, NIGHT, "ratio") == (0, 0)


WOBBLE = [10 * day + off for off in (-3, -1, 1, 3) for day in range(7)]  # every weekday has its own level


def test_the_spread_is_around_each_weekdays_own_median():
    assert m.usual(series(*WOBBLE, last=ago(1)), NIGHT, NIGHT, "difference") == (0, pytest.approx(1.4826 * 2))
    assert m.usual(series(*WOBBLE, last=ago(1)), ago(1), NIGHT, "difference")[0] == 60


def test_one_outlier_changes_little():
    outlier = series(*WOBBLE[:20], 10**6, *WOBBLE[21:], last=ago(1))
    # On the other weekdays 12 days deviate by 1 and 12 by 3; on this one by 4, 2, 2 and a million.
    assert m.usual(outlier, ago(1), NIGHT, "difference") == (61, pytest.approx(1.4826 * 2.5))


def test_the_usual_value_is_that_of_the_eight_weeks_before():
    weeks = [week for week in range(1, 9) for _ in range(7)]
    values = series(*[1000] * 30, *weeks, *[1000] * 3)
    before = ago(2)
    for day in (before, NIGHT):
        assert m.usual(values, day, before, "ratio")[0] == 4.5


def test_a_weekday_with_a_median_of_zero_is_left_out_of_the_spread():
    # Saturdays deviate from their median 24 by the factors 3, 1.5, 4/3 and 8/3; other weekdays have median 0.
    values = series(*([0] * 6 + [8] + [0] * 6 + [16] + [0] * 6 + [32] + [5] * 6 + [64]), last=ago(7))
    assert m.usual(values, NIGHT, NIGHT, "ratio") == (24, pytest.approx(1.4826 * math.log(2)))


# day_measures


@pytest.mark.parametrize("name", [*RATIOS, *DIFFERENCES])
def test_a_measure_equals_the_value_by_hand(name):
    measure = measures(profile(*[USUAL] * 10, TODAY))[name, NIGHT]
    value, message = (RATIOS | DIFFERENCES)[name]
    assert measure.value == pytest.approx(value)
    assert measure.message == message
    assert measure.scale == ("ratio" if name in RATIOS else "difference")
    assert measure.spread == pytest.approx(0)


def test_every_measure_is_tested():
    assert (m.RATIOS.keys(), m.DIFFERENCES.keys()) == (RATIOS.keys(), DIFFERENCES.keys())


def test_an_ordinary_day_equals_the_usual_values():
    result = values(profile(*[USUAL] * 11))
    assert {name: result[name, NIGHT] for name in RATIOS} == pytest.approx(dict.fromkeys(RATIOS, 1))
    assert {name: result[name, NIGHT] for name in DIFFERENCES} == pytest.approx(dict.fromkeys(DIFFERENCES, 0))


def test_a_measure_has_its_spread():
    days = [[value * factor for value in USUAL] for factor in (1, 2, 4, 8, 16, 32, 64, 8)]
    result = measures(profile(*days))
    assert result["orders", NIGHT].spread == pytest.approx(1.4826 * 2 * math.log(2))
    assert result["basket", NIGHT].spread == pytest.approx(0)


def test_a_last_day_without_orders_has_only_measures_of_counts():
    result = values(profile(*[USUAL] * 10, [0] * len(NAMES)))
    assert {name: value for (name, _), value in result.items() if name in RATIOS or name in DIFFERENCES} == {
        "lines": 0,
        "orders": 0,
        "revenue": 0,
        "customers": 0,
    }


def test_a_shop_without_sales_has_no_usual_values():
    result = values(profile(*[[0] * len(NAMES)] * 10, TODAY))
    assert set(result) == {("silence", NIGHT), ("empty_days", NIGHT)}


def test_each_checked_day_is_compared_with_the_days_before_all_checked_days():
    result = values(profile(*[USUAL] * 10, *[TODAY] * 7), checked=[ago(1), NIGHT])
    assert result["orders", ago(1)] == result["orders", NIGHT] == 0.8  # ten days as USUAL, five as TODAY
    result = values(profile(*[USUAL] * 8, *[TODAY] * 7), checked=[ago(day) for day in range(6, -1, -1)])
    assert [result["orders", ago(day)] for day in range(7)] == [0.8] * 7


def test_a_new_shop_isnt_compared_with_itself():
    result = values(profile(*[USUAL] * 3), checked=[ago(day) for day in range(6, -1, -1)])
    assert {name for name, _ in result} == {"silence", "empty_days"}


def test_an_empty_day_before_the_last_is_only_counted():
    days = profile(*[USUAL] * 10, [0] * len(NAMES), TODAY)
    result = measures(days, checked=[ago(1), NIGHT])
    assert {day for _, day in result} == {NIGHT}
    assert result["empty_days", NIGHT].value == 1
    last_day_empty = days.iloc[:-1].set_index(days.index[1:])
    assert values(last_day_empty)["empty_days", NIGHT] == 0


def test_a_day_on_which_the_shop_is_always_closed_isnt_counted_as_empty():
    week = [USUAL] * 6 + [[0] * len(NAMES)]  # closed on Fridays
    days = profile(*week * 5, USUAL)
    assert values(days, checked=[ago(1), NIGHT])["empty_days", NIGHT] == 0


def test_measures_all_days_together():
    result = {measure.name: measure for measure in m.total_measures(profile(*[USUAL] * 3, TODAY), NIGHT)}
    assert {name: measure.value for name, measure in result.items()} == pytest.approx(
        {
            "copied_orders": (3 * 1 + 2) / (3 * 50 + 40),
            "products": 3 * 6 + 9,
            "all_customers": 3 * (40 - 20) + (30 - 10),
        }
    )
    assert result["copied_orders"].message == "2.6% of all orders are copies of an earlier order"
    empty = m.total_measures(profile([0] * len(NAMES)), NIGHT)
    assert [measure.value for measure in empty] == [0, 0, 0]


# clock

OPEN = np.array([0] * 8 + [20, 40, 60, 80, 100, 80, 60, 60, 80, 120, 100, 60, 20, 0, 0, 0])


def by_hour(*days):
    """A profile of consecutive days by their orders in each hour."""
    table = profile(*[USUAL] * len(days))
    table[p.HOURS] = np.array(days, float)
    return table


@pytest.mark.parametrize("hours", [-11, -5, -1, 0, 1, 3, 8, 12])
def test_the_clock_is_off_by_the_shift_of_the_orders(hours):
    result = measures(by_hour(*[OPEN] * 10, np.roll(OPEN, hours)))["clock", NIGHT]
    assert result.value == hours
    assert result.message == f"orders are {hours:+d} hours off their usual time of day"


@pytest.mark.parametrize("closed", [range(14), range(10), range(15, 24)])
def test_a_shop_that_opened_late_or_closed_early_isnt_in_another_time_zone(closed):
    late = np.where(np.isin(np.arange(24), closed), 0, OPEN)
    assert values(by_hour(*[OPEN] * 10, late))["clock", NIGHT] == 0


def test_random_hours_of_an_ordinary_day_are_no_shift(seed):
    rng = np.random.default_rng(seed)
    for count in (50, 200, 2000):
        days = rng.multinomial(count, OPEN / OPEN.sum(), size=29)
        assert values(by_hour(*days))["clock", NIGHT] == 0


def test_orders_without_time_of_day_all_fall_into_one_hour():
    midnight = [OPEN.sum()] + [0] * 23
    days = by_hour(*[OPEN] * 10, midnight).assign(**{c.ORDERS: OPEN.sum()})
    assert values(days)["busiest_hour", NIGHT] == pytest.approx(1 - 120 / OPEN.sum())


def test_few_orders_have_no_clock_measure():
    few = np.roll(OPEN, 5) // 25
    assert few.sum() < sequence.MIN_ORDERS <= OPEN.sum()
    assert ("clock", NIGHT) not in values(by_hour(*[OPEN] * 10, few))
    assert ("clock", NIGHT) not in values(by_hour(*[few] * 10, OPEN))
    assert ("clock", NIGHT) not in values(by_hour(*[few] * 10, *[OPEN] * 6, OPEN))


def test_the_clock_is_compared_with_the_last_four_weeks():
    assert values(by_hour(*[OPEN] * 100, *[np.roll(OPEN, 2)] * 29))["clock", NIGHT] == 0


# order ids


def order_ids(*numbers, checked=(NIGHT,)):
    """The measure `order_ids` by day, for consecutive days with these typical order ids."""
    days = profile(*[USUAL] * len(numbers)).assign(**{p.NUMBER: np.array(numbers, float)})
    return {day: value for (name, day), value in values(days, checked).items() if name == "order_ids"}


STEPS = range(1000, 2000, 100)  # the ids of ten days


@pytest.mark.parametrize(
    ("number", "steps"), [(2000, 1), (1950, 0.5), (1900, 0), (1, -18.99), (101_900, 1000)]
)
def test_measures_the_rise_of_order_ids_in_steps(number, steps):
    assert order_ids(*STEPS, number) == {NIGHT: pytest.approx(steps)}


def test_the_rise_of_order_ids_is_per_day_since_the_last_day_before():
    result = order_ids(*STEPS, 2000, 2100, checked=[ago(1), NIGHT])
    assert result == pytest.approx({ago(1): 1, NIGHT: 1})


def test_order_ids_that_dont_rise_or_arent_numbers_have_no_measure():
    assert order_ids(*[np.nan] * 11) == {}
    assert order_ids(*STEPS, np.nan) == {}
    assert order_ids(*[5, 3] * 5, 1) == {}
    assert order_ids(*STEPS[:6], 1600) == {}  # six days before are too few


# silence


@pytest.mark.parametrize("silent", [0, 1, 3])
def test_silence_is_the_number_of_days_since_the_last_order(silent):
    result = measures(profile(*[USUAL] * 10, *[[0] * len(NAMES)] * silent))["silence", NIGHT]
    assert (result.value, result.message) == (silent, f"{silent} days since the last order")
