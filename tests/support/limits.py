"""Time limits of tests, scaled to how slow the machine is at the moment."""

import os
import time
from functools import cache

REFERENCE = 0.12  # seconds that `_measure` takes on an idle core of a laptop
SLOWEST = 20.0


def scaled(seconds: float) -> float:
    """A time limit for what takes fewer than `seconds` on an idle laptop with two cores; never less."""
    return seconds * slowness()


def slowness() -> float:
    """How many times slower than an idle laptop the machine is now, between 1 and SLOWEST.

    The larger of two estimates: the time of a fixed computation over its reference, and the processes that
    want to run for each processor, with the program under test, over 1.
    """
    return min(max(1.0, _measured(), _load()), SLOWEST)


@cache
def _measured() -> float:
    """The time of a fixed computation over its reference; the shortest of three, as others may interrupt."""
    return min(_measure() for _ in range(3)) / REFERENCE


def _measure() -> float:
    started = time.perf_counter()
    sum(number * number for number in range(2_000_000))
    return time.perf_counter() - started


def _load() -> float:
    """The load average of the last minute or quarter of an hour, and one more process, per processor."""
    last_minute, _, last_quarter = os.getloadavg()
    return (max(last_minute, last_quarter) + 1) / (os.cpu_count() or 1)
