"""Customer segments: how many days with purchases a customer has at the cut."""

import numpy as np

from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import distinct
from serving.bundle.format import Array

NEW, OCCASIONAL, LOYAL = "new", "occasional", "loyal"
UNKNOWN = "unknown"  # bought in the test window, but not before the cut
SEGMENTS = (NEW, OCCASIONAL, LOYAL, UNKNOWN)
OCCASIONAL_FROM, LOYAL_FROM = 2, 5


def customer_segments(known: Interactions) -> Array:
    """Returns each customer's segment, (C,) str: new (1 day with purchases), occasional (2 to 4) or loyal.

    known: the interactions that the bundle was fitted on, so that rows are the same customers in both.
    """
    span = int(known.day.max(initial=0)) + 1
    customer_days = distinct(known.customer * span + known.day)
    days = np.bincount(customer_days // span, minlength=len(known.customers))
    names = np.array([NEW, OCCASIONAL, LOYAL])
    return names[np.searchsorted([OCCASIONAL_FROM, LOYAL_FROM], days, side="right")]
