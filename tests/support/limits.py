"""Time limits of tests, scaled to the present speed of the machine."""

import os
import time
from functools import cache

REFERENCE = 0.12  # seconds that `_measure` takes on an idle core of a laptop
SLOWEST = 20.0


def scaled(seconds: float) -> float:
    """Returns a time limit for work that takes under `seconds` on an idle laptop with two cores."""
    return seconds * slowness()


def slowness() -> float:
    """Returns how many times slower than an idle laptop the machine is now, between 1 and SLOWEST.

    The larger of two estimates: the time of a fixed computation, divided by its reference; and the number of
    runnable processes per processor, including the program under test.
    """
    return min(max(1.0, _measured(), _load()), SLOWEST)


@cache
def _measured() -> float:
    """Returns the shortest time of three fixed computations, divided by the reference."""
    return min(_measure() for _ in range(3)) / REFERENCE


def _measure() -> float:
    started = time.perf_counter()
    sum(number * number for number in range(2_000_000))
    return time.perf_counter() - started


def _load() -> float:
    """Returns the higher load average of 1 and 15 minutes, plus one process, per processor."""
    last_minute, _, last_quarter = os.getloadavg()
    return (max(last_minute, last_quarter) + 1) / (os.cpu_count() or 1)
