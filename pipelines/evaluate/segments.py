"""Customers by how much was known of them at the cut."""

import numpy as np

from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import distinct
from serving.bundle.format import Array

NEW, OCCASIONAL, LOYAL = "new", "occasional", "loyal"
UNKNOWN = "unknown"  # bought in the window and was not known at the cut
SEGMENTS = (NEW, OCCASIONAL, LOYAL, UNKNOWN)
OCCASIONAL_FROM, LOYAL_FROM = 2, 5


def customer_segments(known: Interactions) -> Array:
    """Each customer's group, (C,) str: new with one day of purchases, occasional to four, then loyal.

    known: what the bundle was learned from, so that a row is the same customer in both.
    """
    span = int(known.day.max(initial=0)) + 1
    customer_days = distinct(known.customer * span + known.day)
    days = np.bincount(customer_days // span, minlength=len(known.customers))
    names = np.array([NEW, OCCASIONAL, LOYAL])
    return names[np.searchsorted([OCCASIONAL_FROM, LOYAL_FROM], days, side="right")]
