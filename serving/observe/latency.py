"""How long answers took lately, over all workers, from the histogram that /metrics tells."""

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic

import numpy as np
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from serving.bundle.format import Array
from serving.observe.metrics import MILLISECONDS, REQUESTS

LATELY = 60.0  # seconds
SHARE = 0.99
PLACES = {one / 1000: place for place, one in enumerate((*MILLISECONDS, np.inf))}  # of each bucket's bound
OWN = ("/v1/status", "/v1/openapi.json")  # what the page asks of itself


@dataclass(frozen=True)
class Recent:
    """Over how many seconds, of how many answers, and in how many ms 99 % of them came; None of no answer."""

    seconds: float
    answers: int
    p99: float | None


class Latency:
    """Remembers the histogram whenever it is asked, so that no request and no thread works for it.

    Where nobody has asked within the last minute, the span is the longer one since somebody did.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Array]] = deque([(monotonic(), counted())])

    def recent(self) -> Recent:
        """The answers of the last minute, or since the last question before it."""
        now, total = monotonic(), counted()
        if (total < self._seen[-1][1]).any():  # the workers' files were begun anew
            self._seen = deque([(now, total)])
        while len(self._seen) > 1 and now - self._seen[1][0] >= LATELY:
            self._seen.popleft()
        since, before = self._seen[0]
        self._seen.append((now, total))
        return Recent(now - since, int((total - before)[-1]), percentile(total - before))


def counted() -> Array:
    """The answers of all workers that took at most as long as each bucket says, ascending, (B,) int64."""
    found = np.zeros(len(PLACES), np.int64)
    for sample in (sample for metric in _collected() for sample in metric.samples):
        route = sample.labels.get("route", "")
        if sample.name.endswith("_bucket") and route.startswith("/v1/") and route not in OWN:
            found[PLACES[float(sample.labels["le"])]] += int(sample.value)
    return found


def percentile(counts: Array, share: float = SHARE) -> float | None:
    """Within how many ms a share of answers came, even within a bucket; None of no answer.

    counts: (B,) as of `counted`. What took longer than the last bound counts as that.
    """
    if not counts[-1]:
        return None
    bounds = np.array([0.0, *MILLISECONDS, MILLISECONDS[-1]])
    wanted = share * counts[-1]
    at = int(np.searchsorted(counts, wanted))
    below = counts[at - 1] if at else 0
    part = (wanted - below) / (counts[at] - below)
    return float(bounds[at] + (bounds[at + 1] - bounds[at]) * part)


def _collected() -> Iterable[Metric]:
    """The histogram of all workers; of this process where BentoML keeps none for them."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REQUESTS.collect()
    files = MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
    found: Iterable[Metric] = files.collect()  # type: ignore[no-untyped-call]
    return [metric for metric in found if metric.name == "nightshelf_request_seconds"]
