"""Decides which measures of a day only warn: a day stops at most one run for how much it sold.

A measure that may not stop the run keeps its value under another name, for which there are only warnings.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import replace

from expectations import suites
from expectations.measure import Measure
from expectations.suites import WARNING_ONLY
from expectations.thresholds import Thresholds
from pipelines.validate.calendar import Calendar

VOLUME = ("lines", "orders", "revenue", "customers")
# What differs from other days if a shop sells much more than usual. What only a fault explains isn't among
# these, such as copies of orders or a shifted clock.
OF_A_SALE = (
    *VOLUME,
    *("basket", "pieces", "prices", "moved_prices", "returns", "guests"),
    *("busiest_hour", "top_product", "new_products", "returning", "known_before"),
    "bought_again",
)
CHECKED_BEFORE, ANNOUNCED = "checked_before", "announced"


def announced(measures: Iterable[Measure], calendar: Calendar) -> Iterator[Measure]:
    """Yields the measures as the shop's calendar expects them.

    On a day of a sale, up to `factor` times the usual volume counts as usual; on a closed day, so does less
    than usual. Everything else that a sale explains only warns on these days.
    """
    for measure in measures:
        if measure.name in VOLUME:
            yield replace(measure, value=_expected(measure, calendar))
        elif measure.name in OF_A_SALE and calendar.names(measure.day):
            yield _warning_only(measure, ANNOUNCED)
        else:
            yield measure


def checked_before(measures: Iterable[Measure], until: dt.date | None, bounds: Thresholds) -> list[Measure]:
    """Returns the measures; those of days up to `until` whose volume is unusual only warn.

    An earlier run has checked these days already. If a day had more orders than its bounds allow, everything
    that a sale explains only warns.
    """
    measures = list(measures)
    if until is None:
        return measures
    busy = _busy_days(measures, bounds)
    return [
        _warning_only(measure, CHECKED_BEFORE)
        if measure.day <= until and measure.name in (OF_A_SALE if measure.day in busy else VOLUME)
        else measure
        for measure in measures
    ]


def _expected(measure: Measure, calendar: Calendar) -> float:
    """Returns the ratio to the usual volume that is left once the calendar has explained its part."""
    factor = calendar.factor(measure.day)
    if calendar.is_closed(measure.day):
        return max(measure.value, 1.0)
    return max(1.0, measure.value / factor) if measure.value > 1 else measure.value


def _busy_days(measures: list[Measure], bounds: Thresholds) -> set[dt.date]:
    orders = [measure for measure in measures if measure.name == "orders"]
    _, high = suites.limits(bounds.orders["orders"]["critical"], orders) if orders else (None, None)
    return {measure.day for measure in orders if high is not None and measure.value > high}


def _warning_only(measure: Measure, reason: str) -> Measure:
    return replace(measure, name=f"{measure.name}{WARNING_ONLY}{reason}")
