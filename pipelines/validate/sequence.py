"""What goes on from day to day: the time of day that orders come at, and the steps of their ids."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from expectations.measure import Measure
from pipelines.validate import profile as p

DAYS = 7  # fewer days than a week tell of no usual
LAST_WEEKS = dt.timedelta(weeks=4)
ORDERS = 50  # fewer tell too little of the time of day
CERTAIN = 10.0  # nats by which another time of day must explain the orders better

Days = pd.DataFrame  # as `profile` makes it
Floats = NDArray[np.float64]


def clock(days: Days, day: dt.date, before: dt.date) -> Iterator[Measure]:
    """By how many hours the orders' time of day is off: the shift that makes the day likest to the usual.

    A shift counts only where it explains the day as well as days explain each other: a shop that opened
    late isn't in another zone.
    """
    hours = days[p.HOURS]
    past, now = hours[between(days.index, before - LAST_WEEKS, before)], hours.loc[at(day)].to_numpy(float)
    past = past[past.sum(axis=1) >= ORDERS]
    if len(past) < DAYS or now.sum() < ORDERS:
        return
    share = (past.sum() + 1).to_numpy(float) / (past.sum().sum() + len(p.HOURS))
    apart = np.array([_divergence(now, np.roll(share, shift)) for shift in range(len(share))])
    usual_apart = np.quantile([_divergence(one, share) for one in past.to_numpy(float)], 0.9)
    shift = int(apart.argmin())
    sure = apart[0] - apart[shift] > CERTAIN / now.sum() and apart[shift] < 2 * usual_apart
    off = (shift + 11) % 24 - 11 if sure else 0
    yield Measure("clock", day, float(off), f"orders come {off:+d} hours off their usual time of day")


def _divergence(counts: Floats, share: Floats) -> float:
    """Kullback and Leibler's divergence of what was counted from shares, in nats per order."""
    found = counts / counts.sum()
    some = found > 0
    return float(found[some] @ np.log(found[some] / share[some]))


def order_ids(days: Days, day: dt.date, before: dt.date) -> Iterator[Measure]:
    """How far the order ids came since the days before, in their usual steps per day: 1 as ever."""
    past = days[p.NUMBER][between(days.index, before - LAST_WEEKS, before)].dropna()
    now, steps = days[p.NUMBER].get(at(day), np.nan), past.diff().dropna()
    if len(past) < DAYS or np.isnan(now) or (steps > 0).mean() < 0.9:
        return
    elapsed = (at(day) - past.index[-1]).days
    came = float((now - past.iloc[-1]) / (steps.median() * elapsed))
    yield Measure("order_ids", day, came, f"order ids went on by {came:,.1f} times their usual step")


def between(days: "pd.Index[Any]", first: dt.date, end: dt.date) -> Any:
    """A mask of the days from `first` to the one before `end`."""
    return (days >= at(first)) & (days < at(end))


def at(day: dt.date) -> pd.Timestamp:
    """The day as an index of days holds it."""
    return pd.Timestamp(day)
