"""What was known at a cut, seen from its last day: days count back from it.

A year is 364 days, so that weeks stay whole.
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
    """n rows known at a cut, with what each is in the history of H purchases."""

    known: Interactions
    place: Array  # (n,) of the row's customer and product in the history
    age: Array  # (n,) days
    owner: Array  # (H,) customer
    product: Array  # (H,)
    orders: Array  # (H,)
    days: Array  # (H,) days with an order
    since_first: Array  # (H,) days
    since_last: Array  # (H,) days

    def a_year_ago(self, first: int, last: int) -> Array:
        """True for rows between so many days after the same day a year ago and so many, (n,) bool."""
        return (self.age >= YEAR - last) & (self.age < YEAR - first)


@dataclass(frozen=True)
class Visits:
    """Days with purchases of C customers."""

    customer: Array  # (v,)
    age: Array  # (v,) days
    count: Array  # (C,)
    since_first: Array  # (C,) days
    since_last: Array  # (C,) days

    @property
    def gap(self) -> Array:
        """Mean days between two visits, (C,)."""
        return mean_gap(self.since_first, self.since_last, self.count)


def look_back(known: Interactions, history: History) -> Past:
    """What was known at a cut, and its history, seen from the last day."""
    place = history_rows(history.start, history.product, known)
    age, size = known.day.max(initial=0) - known.day, len(history.product)
    return Past(
        known,
        place,
        age,
        np.repeat(np.arange(len(known.customers)), np.diff(history.start)),
        history.product,
        history.orders,
        np.bincount(place, minlength=size),
        highest_by_index(place, age, size),
        known.day.max(initial=0) - history.last,
    )


def visits_of(past: Past) -> Visits:
    """The days on which customers bought."""
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
    """Mean days between two of several days, UNKNOWN of a single one."""
    return np.where(days > 1, (since_first - since_last) / np.maximum(days - 1, 1), UNKNOWN)


def highest_by_index(place: Array, values: Array, size: int) -> Array:
    """The highest value of each place, 0 without any, (size,)."""
    found = np.zeros(size, values.dtype)
    np.maximum.at(found, place, values)
    return found
