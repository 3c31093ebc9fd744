"""Limits the rate of requests per API key."""

from collections.abc import Callable
from time import monotonic


class RateLimiter:
    """Allows each name at most `rate` requests per second, in bursts of up to one second's worth.

    The generic cell rate algorithm (ITU-T I.371): a name's next request is due 1/rate seconds after the
    previous one was, and may come at most one second early. It stores one number per name.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = monotonic) -> None:
        self.interval = 1 / rate
        self.tolerance = max(0.0, 1 - self.interval)
        self.clock = clock
        self.due: dict[str, float] = {}

    def delay(self, name: str) -> float:
        """Returns the seconds until the name's next request is allowed; 0 counts as a request made now."""
        now = self.clock()
        due = max(self.due.get(name, now), now)
        if (delay := due - now - self.tolerance) > 1e-9:
            return delay
        self.due[name] = due + self.interval
        return 0.0
