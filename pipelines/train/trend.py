"""Distinct buyers of products: of all time, decayed by age, and in recent windows."""

import numpy as np

from pipelines.prepare.interactions import Interactions
from serving.bundle.format import Array

RECENT_DAYS = (7, 28, 90)
BOOST_HALF_LIFE = 30.0


def popularity(known: Interactions) -> Array:
    """Returns the distinct buyers of each product, (P,) float32."""
    return buyers(known, np.ones(len(known.day)))


def trend(known: Interactions, half_life_days: float) -> Array:
    """Returns distinct buyers of each product, decayed by the age of their last purchase, (P,) float32."""
    return buyers(known, known.decay(half_life_days))


def recent(known: Interactions, as_of: int) -> Array:
    """Returns the distinct buyers in each of the RECENT_DAYS up to day `as_of`, (W, P) int32."""
    ages = as_of - known.day
    return np.stack(
        [buyers(known.where(ages < days), np.ones((ages < days).sum())) for days in RECENT_DAYS]
    ).astype(np.int32)


def buyers(known: Interactions, weight: Array) -> Array:
    """Returns each product's sum over customers of their highest weight, (P,) float32; weight: (n,)."""
    width = len(known.products)
    pairs, index = np.unique(known.customer * width + known.product, return_inverse=True)
    highest = np.zeros(len(pairs))
    np.maximum.at(highest, index, weight)
    return np.bincount(pairs % width, highest, width).astype(np.float32)
