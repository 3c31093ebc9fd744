"""The regions of the demo shop's customers, each with its own taste.

A region is derived from a customer's taste, not the other way round, so that regions change no order.
"""

import numpy as np

from pipelines.demo.catalogue import STYLES
from pipelines.demo.chance import Stream, generator
from pipelines.demo.truth import Ints, Truth

REGIONS = ("Centre", "East", "North", "South", "West")
LOCAL = 0.5  # share of customers in the region of their first favourite; the others are in random regions


def home_of(truth: Truth) -> Ints:
    """The region of each customer's first favourite cluster, as an index into REGIONS."""
    return np.asarray(truth.favourites[:, 0] // STYLES % len(REGIONS))


def regions(truth: Truth, seed: int) -> list[str]:
    """Each customer's region."""
    rng, customers = generator(seed, Stream.REGIONS), len(truth.activity)
    random_region = rng.integers(len(REGIONS), size=customers)
    indices = np.where(rng.random(customers) < LOCAL, home_of(truth), random_region)
    return [REGIONS[index] for index in indices]
