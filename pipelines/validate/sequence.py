"""Measures that compare consecutive days: the orders' time of day, and the steps of their ids."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from expectations.measure import Measure
from pipelines.validate import profile as p

MIN_DAYS = 7  # fewer days than a week have no usual value
LAST_WEEKS = dt.timedelta(weeks=4)
MIN_ORDERS = 50  # a day with fewer orders says too little about its hours
MIN_GAIN = 10.0  # nats by which a shifted clock must explain the day's orders better
MIN_RISING = 0.9  # the share of days on which order ids rise, if they are numbered in sequence

Days = pd.DataFrame  # as `profile` returns it
Floats = NDArray[np.float64]


def clock(days: Days, day: dt.date, before: dt.date) -> Iterator[Measure]:
    """Yields the shift in hours that brings the day's orders closest to the usual hours; 0 if uncertain.

    A shift counts only if the shifted day is as close to the usual hours as other days are: a shop that
    opened late isn't in another time zone.
    """
    hours = days[p.HOURS]
    now = hours.loc[timestamp(day)].to_numpy(float)
    past = hours[between(days.index, before - LAST_WEEKS, before)]
    past = past[past.sum(axis=1) >= MIN_ORDERS]
    if len(past) < MIN_DAYS or now.sum() < MIN_ORDERS:
        return
    share = (past.sum() + 1).to_numpy(float) / (past.sum().sum() + len(p.HOURS))
    divergences = np.array([_divergence(now, np.roll(share, shift)) for shift in range(len(share))])
    usual_divergence = np.quantile([_divergence(past_day, share) for past_day in past.to_numpy(float)], 0.9)
    shift = int(divergences.argmin())
    gain = divergences[0] - divergences[shift]
    certain = gain > MIN_GAIN / now.sum() and divergences[shift] < 2 * usual_divergence
    off = (shift + 11) % 24 - 11 if certain else 0
    yield Measure("clock", day, float(off), f"orders are {off:+d} hours off their usual time of day")


def _divergence(counts: Floats, share: Floats) -> float:
    """Returns the Kullback-Leibler divergence of the distribution of counts from shares, in nats.

    counts, share: one float per hour, shape (24,).
    """
    observed = counts / counts.sum()
    some = observed > 0
    return float(observed[some] @ np.log(observed[some] / share[some]))


def order_ids(days: Days, day: dt.date, before: dt.date) -> Iterator[Measure]:
    """Yields the rise of order ids per day in multiples of its usual size; nothing if ids don't rise."""
    past = days[p.NUMBER][between(days.index, before - LAST_WEEKS, before)].dropna()
    now, steps = days[p.NUMBER].get(timestamp(day), np.nan), past.diff().dropna()
    if len(past) < MIN_DAYS or np.isnan(now) or (steps > 0).mean() < MIN_RISING:
        return
    elapsed = (timestamp(day) - past.index[-1]).days
    rise = float((now - past.iloc[-1]) / (steps.median() * elapsed))
    yield Measure("order_ids", day, rise, f"order ids rose by {rise:,.1f} times their usual step")


def between(days: "pd.Index[Any]", first: dt.date, end: dt.date) -> Any:
    """Returns a mask of the days from `first` to the day before `end`."""
    return (days >= timestamp(first)) & (days < timestamp(end))


def timestamp(day: dt.date) -> pd.Timestamp:
    """Returns the timestamp of a day, as the index of a profile holds it."""
    return pd.Timestamp(day)
