"""What many buy: of all time, lately, and in fixed windows."""

import numpy as np

from pipelines.split import Interactions
from serving.bundle import Array

RECENT_DAYS = (7, 28, 90)
BOOST_HALF_LIFE = 30.0


def popularity(known: Interactions) -> Array:
    """Distinct buyers of each product, (P,) float32."""
    return _buyers(known, np.ones(len(known.day)))


def trend(known: Interactions, half_life_days: float) -> Array:
    """Distinct buyers of each product, each weighing by the age of the last purchase, (P,) float32."""
    return _buyers(known, known.decay(half_life_days))


def boost(known: Interactions, power: float) -> Array:
    """What scores of tastes are multiplied by: recent popularity to a power, (P,) float32; 1 for power 0."""
    return trend(known, BOOST_HALF_LIFE) ** np.float32(power)


def recent(known: Interactions, as_of: int) -> Array:
    """Distinct buyers in each of RECENT_DAYS before the end of a day, (W, P) int32."""
    ages = as_of - known.day
    return np.stack(
        [_buyers(known.where(ages < days), np.ones((ages < days).sum())) for days in RECENT_DAYS]
    ).astype(np.int32)


def _buyers(known: Interactions, weight: Array) -> Array:
    """Per product the sum over customers of their highest weight, (P,) float32."""
    pair = known.customer * len(known.products) + known.product
    order = np.lexsort((-weight, pair))
    best = order[np.unique(pair[order], return_index=True)[1]]
    return np.bincount(known.product[best], weight[best], len(known.products)).astype(np.float32)
