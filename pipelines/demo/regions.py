"""Where the demo shop's customers live: regions with a taste of their own.

A region follows from what its customers like, and not the other way round, so that it changes no order.
"""

import numpy as np

from pipelines.demo.catalogue import STYLES
from pipelines.demo.chance import Stream, generator
from pipelines.demo.truth import Ints, Truth

REGIONS = ("Centre", "East", "North", "South", "West")
LOCAL = 0.5  # share of customers whose region is that of their first favourite; the others live anywhere


def home_of(truth: Truth) -> Ints:
    """The region that each customer's first favourite is at home in, as a place in REGIONS."""
    return np.asarray(truth.favourites[:, 0] // STYLES % len(REGIONS))


def regions(truth: Truth, seed: int) -> list[str]:
    """Each customer's region."""
    rng, customers = generator(seed, Stream.REGIONS), len(truth.activity)
    anywhere = rng.integers(len(REGIONS), size=customers)
    places = np.where(rng.random(customers) < LOCAL, home_of(truth), anywhere)
    return [REGIONS[place] for place in places]
