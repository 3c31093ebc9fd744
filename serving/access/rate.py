"""How often one key may ask."""

from collections.abc import Callable
from time import monotonic


class Rate:
    """At most `rate` requests per second for each name, with bursts of up to a second's worth.

    The generic cell rate algorithm (ITU-T I.371): a name's next request is due 1/rate after the one before,
    and may come early by at most a second. It holds one number for each name that asked.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = monotonic) -> None:
        self.interval = 1 / rate
        self.early = max(0.0, 1 - self.interval)
        self.clock = clock
        self.due: dict[str, float] = {}

    def wait(self, name: str) -> float:
        """The seconds until a name may ask; 0 where it may now, which counts as asking."""
        now = self.clock()
        due = max(self.due.get(name, now), now)
        if (wait := due - now - self.early) > 1e-9:
            return wait
        self.due[name] = due + self.interval
        return 0.0
