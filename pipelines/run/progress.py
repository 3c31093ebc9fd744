"""Progress of an extraction."""

import datetime as dt
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

LOG_SECONDS = 30.0

Progress = Callable[[int, int, int], None]  # pages done, pages known, orders so far


def silent(done: int, known: int, orders: int) -> None:
    """Reports nothing."""


def progress_lines(write: Callable[[str], None] = log.info) -> Progress:
    """Returns a callback that writes a line per tenth of the pages, and at least one every 30 seconds."""
    started = last = time.monotonic()
    tenth = 0

    def report(done: int, known: int, orders: int) -> None:
        nonlocal last, tenth
        now = time.monotonic()
        reached = done * 10 // max(known, 1)
        if reached <= tenth and now - last < LOG_SECONDS:
            return
        tenth, last = max(tenth, reached), now
        write(sentence(done, known, orders, now - started))

    return report


def sentence(done: int, known: int, orders: int, seconds: float) -> str:
    """Returns pages, orders, orders per second and time left as text.

    >>> sentence(250, 1000, 25_000, 60.0)
    '250 of 1,000 pages, 25,000 orders, 417 orders/s, 0:03:00 left'
    """
    left = dt.timedelta(seconds=round(seconds * (known - done) / max(done, 1)))
    rate = orders / max(seconds, 1e-3)
    return f"{done:,} of {known:,} pages, {orders:,} orders, {rate:,.0f} orders/s, {left} left"
