"""Seeded randomness: an independent stream for every purpose and day."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """The purpose of random numbers."""

    CATALOGUE = 0
    TRUTH = 1
    ORDERS = 2
    PHONES = 3
    GOODS = 4
    DIRT = 5
    REGIONS = 6


def generator(seed: int, stream: Stream, day: int = 0) -> np.random.Generator:
    """A generator that depends only on seed, purpose and day (counted from 0)."""
    return np.random.default_rng((seed, stream, day))
