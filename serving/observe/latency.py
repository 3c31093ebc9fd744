"""Recent latency over all workers, computed from the histogram at /metrics."""

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic

import numpy as np
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from serving.bundle.format import Array
from serving.observe.metrics import BUCKET_BOUNDS_MS, REQUESTS

WINDOW_SECONDS = 60.0
P99_SHARE = 0.99
BUCKET_INDEX = {bound / 1000: index for index, bound in enumerate((*BUCKET_BOUNDS_MS, np.inf))}  # by seconds
EXCLUDED_ROUTES = ("/v1/status", "/v1/openapi.json")  # requests that the pages send by themselves


@dataclass(frozen=True)
class RecentLatency:
    """The latency of recent answers."""

    seconds: float  # length of the window
    answers: int
    p99: float | None  # the 99th percentile in ms, None without answers


class Latency:
    """Computes recent latency from the histogram's growth since earlier calls.

    It stores the counts only when `recent` is called, so it costs requests nothing and needs no thread. If
    the last call is more than a minute ago, the window reaches back to that call.
    """

    def __init__(self) -> None:
        self._snapshots: deque[tuple[float, Array]] = deque([(monotonic(), bucket_counts())])

    def recent(self) -> RecentLatency:
        """Returns the latency over the last minute, or since the last call before that."""
        now, total = monotonic(), bucket_counts()
        if (total < self._snapshots[-1][1]).any():  # the workers have restarted with new files
            self._snapshots = deque([(now, total)])
        while len(self._snapshots) > 1 and now - self._snapshots[1][0] >= WINDOW_SECONDS:
            self._snapshots.popleft()
        since, before = self._snapshots[0]
        self._snapshots.append((now, total))
        return RecentLatency(now - since, int((total - before)[-1]), percentile(total - before))


def bucket_counts() -> Array:
    """Returns how many answers of all workers came within each bucket's bound, (B,) int64."""
    counts = np.zeros(len(BUCKET_INDEX), np.int64)
    for sample in (sample for metric in _collected() for sample in metric.samples):
        route = sample.labels.get("route", "")
        if sample.name.endswith("_bucket") and route.startswith("/v1/") and route not in EXCLUDED_ROUTES:
            counts[BUCKET_INDEX[float(sample.labels["le"])]] += int(sample.value)
    return counts


def percentile(counts: Array, share: float = P99_SHARE) -> float | None:
    """Returns the latency in ms within which a share of the answers came, None without answers.

    Interpolates linearly within a bucket; answers slower than the last bound count as that bound.
    counts: (B,) as from `bucket_counts`.
    """
    if not counts[-1]:
        return None
    bounds = np.array([0.0, *BUCKET_BOUNDS_MS, BUCKET_BOUNDS_MS[-1]])
    target = share * counts[-1]
    bucket = int(np.searchsorted(counts, target))
    below = counts[bucket - 1] if bucket else 0
    fraction = (target - below) / (counts[bucket] - below)
    return float(bounds[bucket] + (bounds[bucket + 1] - bounds[bucket]) * fraction)


def _collected() -> Iterable[Metric]:
    """Returns the histogram of all workers, or of this process if BentoML set up no shared files."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REQUESTS.collect()
    collector = MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
    metrics: Iterable[Metric] = collector.collect()  # type: ignore[no-untyped-call]
    return [metric for metric in metrics if metric.name == "nightshelf_request_seconds"]
