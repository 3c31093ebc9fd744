"""Measures of a nightly run: numbers that are compared with the thresholds, with messages for people.

A day is compared with the same weekday of the eight weeks before. The usual value is a median and the spread
a scaled median absolute deviation (Hampel, 1974), so that one outlier among those days changes little.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from expectations.measure import Measure, Scale
from pipelines import columns as c
from pipelines.validate import profile as p
from pipelines.validate import sequence
from pipelines.validate import waterfall as w
from pipelines.validate.calendar import ORDINARY, Calendar
from pipelines.validate.sequence import MIN_DAYS, Days, between, timestamp

LOOK_BACK = dt.timedelta(weeks=8)
MIN_SAME_WEEKDAYS = 4  # with fewer days of the same weekday, all days are used
SIGMA = 1.4826  # times the median absolute deviation is the standard deviation of a normal distribution


@dataclass(frozen=True)
class DayMeasure:
    """How a measure of each day is computed from the profile, and the template of its message."""

    values: Callable[[Days], "pd.Series[float]"]
    template: str


def _exp(logarithms: "pd.Series[float]") -> "pd.Series[float]":
    return logarithms.map(np.exp)


RATIOS = {
    "lines": DayMeasure(lambda d: d[w.LINES], "{:,.0f} order lines"),
    "orders": DayMeasure(lambda d: d[c.ORDERS], "{:,.0f} orders"),
    "revenue": DayMeasure(lambda d: d[w.REVENUE], "revenue of {:,.0f}"),
    "basket": DayMeasure(lambda d: d[p.SALES] / d[c.ORDERS], "{:.2f} products per order"),
    "pieces": DayMeasure(
        lambda d: _exp(d[w.LOG_PIECES] / d[w.LINES]), "{:.2f} pieces in a typical order line"
    ),
    "prices": DayMeasure(
        lambda d: _exp(d[w.LOG_PRICE] / d[w.PRICED]), "prices at {:.2f} times the products' medians"
    ),
    "customers": DayMeasure(lambda d: d[p.CUSTOMERS], "{:,.0f} customers"),
    "returning": DayMeasure(
        lambda d: d[p.KNOWN] / d[p.CUSTOMERS], "{:.0%} of the customers had bought before"
    ),
    "bought_again": DayMeasure(
        lambda d: d[p.KNOWN_PAIRS] / d[p.PAIRS], "{:.0%} of returning customers' purchases are repeats"
    ),
}
DIFFERENCES = {
    "moved_prices": DayMeasure(
        lambda d: d[w.MOVED] / d[w.PRICED],
        "{:.1%} of the prices are at least double or at most half the product's median",
    ),
    "returns": DayMeasure(lambda d: d[p.RETURNS] / d[w.LINES], "{:.1%} of the order lines are returns"),
    "copies": DayMeasure(
        lambda d: d[p.COPIES] / d[c.ORDERS], "{:.1%} of the orders are copies of an earlier order"
    ),
    "busiest_hour": DayMeasure(
        lambda d: d[p.HOURS].max(axis=1) / d[c.ORDERS], "{:.0%} of the orders came within one hour"
    ),
    "top_product": DayMeasure(lambda d: d[p.TOP] / d[c.ORDERS], "{:.1%} of the orders hold the same product"),
    "new_products": DayMeasure(
        lambda d: d[p.NEW] / d[p.SALES], "{:.1%} of the sales are of products never sold before"
    ),
    "guests": DayMeasure(lambda d: d[w.GUESTS] / d[w.LINES], "{:.1%} of the order lines name no customer"),
    "unlisted": DayMeasure(
        lambda d: d[p.UNLISTED] / d[p.SALES],
        "{:.1%} of the sales are of products missing from the catalogue",
    ),
}


def day_measures(days: Days, checked_days: list[dt.date], calendar: Calendar = ORDINARY) -> Iterator[Measure]:
    """Yields the measures of each checked day, compared with its usual value; without enough history, none.

    days: the profile of all days. A day without orders is only counted in `empty_days` unless it is the last:
    the run of that day was stopped for it, and later orders show that the shop was merely closed.
    calendar: the days that it names don't count as usual.
    """
    checked_days = [day for day in checked_days if timestamp(day) >= days.index[0]]
    first, as_of = checked_days[0], checked_days[-1]
    empty = [day for day in checked_days[:-1] if not days[c.ORDERS].loc[timestamp(day)]]
    checked_days = [day for day in checked_days if day not in empty]
    by_scale: dict[Scale, dict[str, DayMeasure]] = {"ratio": RATIOS, "difference": DIFFERENCES}
    for scale, definitions in by_scale.items():
        for name, definition in definitions.items():
            values = definition.values(days).astype(float)
            ordinary = values.mask(
                calendar.mask(pd.DatetimeIndex(values.index)) & (values.index < timestamp(first))
            )
            for day in checked_days:
                if measure := _compare_with_usual(name, definition.template, scale, ordinary, day, first):
                    yield measure
    for day in checked_days:
        yield from sequence.clock(days, day, first)
        yield from sequence.order_ids(days, day, first)
    yield _silence(days, as_of, calendar)
    yield _empty_days(days, [day for day in empty if not calendar.is_closed(day)], first, as_of)


def total_measures(days: Days, as_of: dt.date) -> Iterator[Measure]:
    """Yields the measures of all days together; they need no earlier run."""
    orders, customers = days[c.ORDERS].sum(), (days[p.CUSTOMERS] - days[p.KNOWN]).sum()
    copied, products = days[p.COPIES].sum() / max(orders, 1), days[p.FIRST].sum()
    message = f"{copied:.1%} of all orders are copies of an earlier order"
    yield Measure("copied_orders", as_of, float(copied), message)
    yield Measure("products", as_of, float(products), f"{products:,.0f} products were ever sold")
    yield Measure("all_customers", as_of, float(customers), f"{customers:,.0f} customers ever bought")


def usual(values: pd.Series, day: dt.date, before: dt.date, scale: Scale) -> tuple[float, float] | None:
    """Returns the usual value of a day and its spread, or None if fewer than seven days are known.

    values: one value per day; the eight weeks before the day `before` are used. The spread measures how far
    these days are from the median of their weekday, in logarithms for a ratio.
    """
    past = values[between(values.index, before - LOOK_BACK, before)].dropna()
    if len(past) < MIN_DAYS:
        return None
    weekdays = pd.DatetimeIndex(past.index).weekday
    same = past[weekdays == day.weekday()]
    by_weekday = len(same) >= MIN_SAME_WEEKDAYS
    median = float(same.median() if by_weekday else past.median())
    medians = past.groupby(weekdays).transform("median") if by_weekday else median
    deviations = past[past > 0].div(medians).map(np.log) if scale == "ratio" else past - medians
    deviations = deviations[np.isfinite(deviations)]
    return median, float(SIGMA * deviations.abs().median()) if len(deviations) else 0.0


def _compare_with_usual(
    name: str, template: str, scale: Scale, values: pd.Series, day: dt.date, before: dt.date
) -> Measure | None:
    value, usual_value = values.get(timestamp(day), np.nan), usual(values, day, before, scale)
    if usual_value is None or np.isnan(value) or (scale == "ratio" and usual_value[0] <= 0):
        return None
    median, spread = usual_value
    message = f"{template.format(value)}, usual is {_number_format(template).format(median)}"
    deviation = value / median if scale == "ratio" else value - median
    return Measure(name, day, float(deviation), message, scale, spread)


def _number_format(template: str) -> str:
    """Returns the replacement field of a template: `{:,.0f}` of `{:,.0f} orders`."""
    return template[template.index("{") : template.index("}") + 1]


def _silence(days: Days, day: dt.date, calendar: Calendar) -> Measure:
    """Returns the number of days since the last order on which the shop wasn't closed."""
    sold = days.index[(days[w.LINES] > 0) & (days.index <= timestamp(day))]
    since = days.index[(days.index > sold[-1]) & (days.index <= timestamp(day))] if len(sold) else days.index
    silent = sum(not calendar.is_closed(each.date()) for each in since)
    return Measure("silence", day, float(silent), f"{silent} days since the last order")


def _empty_days(days: Days, empty: list[dt.date], before: dt.date, as_of: dt.date) -> Measure:
    """Returns the number of days without orders on which the shop usually has some."""
    usual_orders = [usual(days[c.ORDERS], day, before, "ratio") for day in empty]
    count = sum(orders is not None and orders[0] > 0 for orders in usual_orders)
    return Measure("empty_days", as_of, float(count), f"{count} of the days before have no order")
