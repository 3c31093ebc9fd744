"""Purchases known at a cut, with ages in days before the last known day.

A year is 364 days, so that a year ago is the same day of the week.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import distinct
from pipelines.train.repurchase import History, history_rows
from serving.bundle.format import Array
from serving.bundle.traits import UNKNOWN

YEAR = 364


@dataclass(frozen=True)
class Past:
    """n interactions known at a cut, and the H entries of the purchase history that they add up to."""

    known: Interactions
    entry: Array  # (n,) int64, the history entry of each interaction
    age: Array  # (n,) int64, days
    owner: Array  # (H,) int64, customer
    product: Array  # (H,) int32
    orders: Array  # (H,) int32
    days: Array  # (H,) int64, number of days with an order
    since_first: Array  # (H,) int64, days
    since_last: Array  # (H,) int64, days

    def a_year_ago(self, first: int, last: int) -> Array:
        """Returns whether each interaction is `first` to `last` days after this day a year ago, (n,) bool.

        The day `first` itself is excluded. Negative numbers are days before that day.
        """
        return (self.age >= YEAR - last) & (self.age < YEAR - first)


@dataclass(frozen=True)
class Visits:
    """The v visits (days with a purchase) of C customers."""

    customer: Array  # (v,) int64
    age: Array  # (v,) int64, days
    count: Array  # (C,) int64
    since_first: Array  # (C,) int64, days
    since_last: Array  # (C,) int64, days

    @property
    def gap(self) -> Array:
        """Mean days between two visits, (C,) float64; UNKNOWN with a single visit."""
        return mean_gap(self.since_first, self.since_last, self.count)


def look_back(known: Interactions, history: History) -> Past:
    """Returns interactions and purchase history with ages before the last known day."""
    entry = history_rows(history.start, history.product, known)
    age, size = known.day.max(initial=0) - known.day, len(history.product)
    return Past(
        known,
        entry,
        age,
        np.repeat(np.arange(len(known.customers)), np.diff(history.start)),
        history.product,
        history.orders,
        np.bincount(entry, minlength=size),
        highest_by_index(entry, age, size),
        known.day.max(initial=0) - history.last,
    )


def visits_of(past: Past) -> Visits:
    """Returns the days on which customers bought."""
    span, count = int(past.age.max(initial=0)) + 1, len(past.known.customers)
    customer, age = np.divmod(distinct(past.known.customer * span + past.age), span)
    first_of_each = np.searchsorted(customer, np.arange(count))
    return Visits(
        customer,
        age,
        np.bincount(customer, minlength=count),
        highest_by_index(customer, age, count),
        age[first_of_each],
    )


def mean_gap(since_first: Array, since_last: Array, days: Array) -> Array:
    """Returns the mean gap between consecutive events, (m,) float64 days; UNKNOWN with a single event.

    days: (m,), the number of days with an event.
    """
    return np.where(days > 1, (since_first - since_last) / np.maximum(days - 1, 1), UNKNOWN)


def highest_by_index(index: Array, values: Array, size: int) -> Array:
    """Returns the highest value of each index, (size,); 0 for an index without a value."""
    highest = np.zeros(size, values.dtype)
    np.maximum.at(highest, index, values)
    return highest
