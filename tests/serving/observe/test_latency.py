"""Recent latency from the histogram of requests."""

import numpy as np
import pytest

from serving.observe import latency, metrics
from serving.observe.latency import Latency, percentile

BUCKETS = len(metrics.BUCKET_BOUNDS_MS) + 1


def counts(*milliseconds: float) -> np.ndarray:
    """Returns the cumulative counts per bucket of answers with these latencies."""
    bounds = [*metrics.BUCKET_BOUNDS_MS, np.inf]
    return np.array([sum(value <= bound for value in milliseconds) for bound in bounds])


def test_interpolates_the_percentile_within_its_bucket() -> None:
    # 50 answers within 1 ms and 50 within 2: the 75th of a hundred lies halfway between 1 and 2 ms.
    assert percentile(counts(*[0.5] * 50, *[1.5] * 50), 0.75) == pytest.approx(1.5)
    assert percentile(counts(*[0.5] * 99, 4), 0.99) == pytest.approx(1)
    assert percentile(counts(0.5, 60_000), 0.99) == 10_000  # slower than the last bound counts as that bound
    assert percentile(np.zeros(BUCKETS, int)) is None


def test_counts_nothing_after_a_restart_of_the_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.count_request("/v1/popular", "GET", 200, 0.0025)
    recent_latency = Latency()
    monkeypatch.setattr(latency, "bucket_counts", lambda: np.zeros(BUCKETS, int))
    assert (recent_latency.recent().answers, recent_latency.recent().p99) == (0, None)


def test_counts_only_the_last_minute_and_only_api_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(latency, "monotonic", lambda: now[0])
    recent_latency = Latency()
    metrics.count_request("/v1/popular", "GET", 200, 0.0025)
    metrics.count_request("/docs", "GET", 200, 5)
    metrics.count_request("/v1/status", "GET", 200, 5)
    now[0] += 100
    first = recent_latency.recent()
    assert (first.seconds, first.answers) == (100, 1)
    assert first.p99 is not None and 2 < first.p99 <= 3
    now[0] += 59
    metrics.count_request("/v1/popular", "GET", 200, 0.0005)
    assert (recent_latency.recent().seconds, recent_latency.recent().answers) == (
        159,
        2,
    )  # the window reaches back to the first call
    now[0] += 1
    again = recent_latency.recent()
    assert (again.seconds, again.answers) == (60, 1)
    assert again.p99 is not None and again.p99 <= 1
