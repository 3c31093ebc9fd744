"""Limits the rate of requests per API key."""

import math
from collections.abc import Callable
from time import monotonic

from serving.errors import Problem


class RateLimiter:
    """Allows each name at most `rate` requests per second, in bursts of up to one second's worth.

    The generic cell rate algorithm (ITU-T I.371): a name's next request is due 1/rate seconds after the
    previous one was, and may come at most one second early. It stores one number per name. What
    requests contain is limited in the same way, by its number in each of them.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = monotonic) -> None:
        self.interval = 1 / rate
        self.tolerance = max(0.0, 1 - self.interval)
        self.clock = clock
        self.due: dict[str, float] = {}

    def delay(self, name: str, number: int = 1) -> float:
        """Returns the seconds until the name's next request is allowed; 0 counts as `number` made now."""
        now = self.clock()
        due = max(self.due.get(name, now), now)
        if (delay := due - now - self.tolerance) > 1e-9:
            return delay
        self.due[name] = due + self.interval * number
        return 0.0


def require(limiter: RateLimiter | None, name: str, what: str, number: int = 1) -> None:
    """Counts a request; raises Problem 429 over the limit. what: that is limited, for the message."""
    if limiter and (delay := limiter.delay(name, number)):
        seconds = str(math.ceil(delay))
        message = f"{what} is over its rate limit: send the next request after {seconds} s"
        raise Problem(429, "too_many_requests", message, headers={"Retry-After": seconds})
