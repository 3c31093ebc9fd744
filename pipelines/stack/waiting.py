"""Waiting for something outside this process: slow is not an error, so the last limit is generous."""

import time
from collections.abc import Callable

from pipelines.stack.board import console
from serving.errors import NightshelfError

SLOW = 60.0  # seconds after which a line reports what is waited for
PATIENCE = 3600.0  # seconds after which waiting is an error; only something that is stuck takes so long
PAUSE = 0.25


def wait_for(is_done: Callable[[], bool], waiting_for: str, seconds: float = PATIENCE) -> None:
    """Returns as soon as `is_done()`; while that takes long, prints a line every minute.

    `is_done` may raise an error itself, so that a process that ended isn't waited for.
    Raises NightshelfError after the seconds, saying what didn't happen.
    """
    started = time.monotonic()
    next_line = SLOW
    while not is_done():
        waited = time.monotonic() - started
        if waited > seconds:
            raise NightshelfError(f"gave up after {waited:.0f} seconds of waiting for {waiting_for}")
        if waited > next_line:
            console.print(f"  still waiting for {waiting_for} ({waited:.0f} s)", markup=False)
            next_line += SLOW
        time.sleep(PAUSE)
