"""What of a night is held against the thresholds: numbers, and what they say in a shop's words.

A day is compared with the same weekday of the eight weeks before, in robust terms: the usual is a
median, the spread a scaled median absolute deviation, so that one strange day among them changes little.
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
from pipelines.validate.sequence import DAYS, Days, at, between

BACK = dt.timedelta(weeks=8)
WEEKDAYS = 4  # of the same weekday, else all days are taken together
SIGMA = 1.4826  # times the median absolute deviation is the standard deviation of a normal distribution


@dataclass(frozen=True)
class Kind:
    """How a measure of days is computed from the profile, and told."""

    of: Callable[[Days], "pd.Series[float]"]
    told: str


def _exp(logarithms: "pd.Series[float]") -> "pd.Series[float]":
    return logarithms.map(np.exp)


RATIOS = {
    "lines": Kind(lambda d: d[w.LINES], "{:,.0f} order lines"),
    "orders": Kind(lambda d: d[c.ORDERS], "{:,.0f} orders"),
    "revenue": Kind(lambda d: d[w.REVENUE], "revenue of {:,.0f}"),
    "basket": Kind(lambda d: d[p.SALES] / d[c.ORDERS], "{:.2f} products in an order"),
    "pieces": Kind(lambda d: _exp(d[w.LOG_PIECES] / d[w.LINES]), "{:.2f} pieces in a typical order line"),
    "prices": Kind(
        lambda d: _exp(d[w.LOG_PRICE] / d[w.PRICED]), "prices {:.2f} times the products' own median"
    ),
    "customers": Kind(lambda d: d[p.CUSTOMERS], "{:,.0f} customers"),
    "returning": Kind(lambda d: d[p.KNOWN] / d[p.CUSTOMERS], "{:.0%} of the customers bought before"),
    "bought_again": Kind(
        lambda d: d[p.KNOWN_PAIRS] / d[p.PAIRS], "{:.0%} of what known customers bought they bought again"
    ),
}
DIFFERENCES = {
    "moved_prices": Kind(
        lambda d: d[w.MOVED] / d[w.PRICED], "{:.1%} of the prices are twice or half the products' own median"
    ),
    "returns": Kind(lambda d: d[p.RETURNS] / d[w.LINES], "{:.1%} of the order lines are returns"),
    "copies": Kind(lambda d: d[p.COPIES] / d[c.ORDERS], "{:.1%} of the orders repeat another to the second"),
    "busiest_hour": Kind(
        lambda d: d[p.HOURS].max(axis=1) / d[c.ORDERS], "{:.0%} of the orders came within one hour"
    ),
    "top_product": Kind(lambda d: d[p.TOP] / d[c.ORDERS], "{:.1%} of the orders hold the same product"),
    "new_products": Kind(lambda d: d[p.NEW] / d[p.SALES], "{:.1%} of the sales are of products never sold"),
    "guests": Kind(lambda d: d[w.GUESTS] / d[w.LINES], "{:.1%} of the order lines name no customer"),
    "unlisted": Kind(
        lambda d: d[p.UNLISTED] / d[p.SALES], "{:.1%} of the sales are of products that the catalogue lacks"
    ),
}


def of_days(days: Days, judged: list[dt.date]) -> Iterator[Measure]:
    """Each judged day against its usual; what can't be told for want of earlier days is left out.

    A day without an order before the last one is counted, no more: the night of that day was stopped for
    it, and orders that came since tell that the shop was closed.
    """
    judged = [day for day in judged if at(day) >= days.index[0]]
    first, night = judged[0], judged[-1]
    empty = [day for day in judged[:-1] if not days[c.ORDERS].loc[at(day)]]
    judged = [day for day in judged if day not in empty]
    of_scale: dict[Scale, dict[str, Kind]] = {"ratio": RATIOS, "difference": DIFFERENCES}
    for scale, kinds in of_scale.items():
        for name, kind in kinds.items():
            values = kind.of(days).astype(float)
            for day in judged:
                if measure := _against_usual(name, kind, scale, values, day, first):
                    yield measure
    for day in judged:
        yield from sequence.clock(days, day, first)
        yield from sequence.order_ids(days, day, first)
    yield _silence(days, night)
    yield _empty(days, empty, first, night)


def of_all(days: Days, night: dt.date) -> Iterator[Measure]:
    """What all days together must be, on a first night too."""
    orders, customers = days[c.ORDERS].sum(), (days[p.CUSTOMERS] - days[p.KNOWN]).sum()
    copied, products = days[p.COPIES].sum() / max(orders, 1), days[p.FIRST].sum()
    told = f"{copied:.1%} of all orders repeat another to the second"
    yield Measure("copied_orders", night, float(copied), told)
    yield Measure("products", night, float(products), f"{products:,.0f} products were ever sold")
    yield Measure("all_customers", night, float(customers), f"{customers:,.0f} customers ever bought")


def usual(values: pd.Series, day: dt.date, before: dt.date, scale: Scale) -> tuple[float, float] | None:
    """The usual of a day and its spread, from the eight weeks before a day; None where too little is known.

    The spread is that of all days around their weekday's median, in logarithms for a ratio.
    """
    past = values[between(values.index, before - BACK, before)].dropna()
    if len(past) < DAYS:
        return None
    weekday = pd.DatetimeIndex(past.index).weekday
    same = past[weekday == day.weekday()]
    by_weekday = len(same) >= WEEKDAYS
    middle = float(same.median() if by_weekday else past.median())
    middles = past.groupby(weekday).transform("median") if by_weekday else middle
    off = past[past > 0].div(middles).map(np.log) if scale == "ratio" else past - middles
    off = off[np.isfinite(off)]
    return middle, float(SIGMA * off.abs().median()) if len(off) else 0.0


def _against_usual(
    name: str, kind: Kind, scale: Scale, values: pd.Series, day: dt.date, before: dt.date
) -> Measure | None:
    found, value = usual(values, day, before, scale), values.get(at(day), np.nan)
    if found is None or np.isnan(value) or (scale == "ratio" and found[0] <= 0):
        return None
    middle, spread = found
    told = f"{kind.told.format(value)}, usual is {_number(kind.told).format(middle)}"
    off = value / middle if scale == "ratio" else value - middle
    return Measure(name, day, float(off), told, scale, spread)


def _number(told: str) -> str:
    """The part of a text that holds its number: `{:,.0f}` of `{:,.0f} orders`."""
    return told[told.index("{") : told.index("}") + 1]


def _silence(days: Days, day: dt.date) -> Measure:
    sold = days.index[(days[w.LINES] > 0) & (days.index <= at(day))]
    silent = (at(day) - sold[-1]).days if len(sold) else len(days)
    return Measure("silence", day, float(silent), f"{silent} days since the last order")


def _empty(days: Days, empty: list[dt.date], before: dt.date, night: dt.date) -> Measure:
    usuals = [usual(days[c.ORDERS], day, before, "ratio") for day in empty]
    count = sum(found is not None and found[0] > 0 for found in usuals)
    return Measure("empty_days", night, float(count), f"on {count} of the days before there is no order")
