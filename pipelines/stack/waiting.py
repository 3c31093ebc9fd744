"""Waiting for something that comes to be outside of this process."""

import time
from collections.abc import Callable

from serving.errors import NightshelfError


def wait_for(done: Callable[[], bool], otherwise: str, seconds: float = 60) -> None:
    """Returns as soon as it is done; raises NightshelfError with the sentence when the seconds are over."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise NightshelfError(otherwise)
        time.sleep(0.25)
