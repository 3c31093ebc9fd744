"""The p99 of late, from the histogram."""

import numpy as np
import pytest

from serving.observe import latency, metrics
from serving.observe.latency import Latency, percentile

BUCKETS = len(metrics.MILLISECONDS) + 1


def counts(*took: float) -> np.ndarray:
    """Answers that took so many ms, as the histogram counts them."""
    bounds = [*metrics.MILLISECONDS, np.inf]
    return np.array([sum(one <= bound for one in took) for bound in bounds])


def test_the_percentile_lies_evenly_within_its_bucket() -> None:
    # 50 answers within 1 ms and 50 within 2: the 75th of a hundred is half the way between.
    assert percentile(counts(*[0.5] * 50, *[1.5] * 50), 0.75) == pytest.approx(1.5)
    assert percentile(counts(*[0.5] * 99, 4), 0.99) == pytest.approx(1)
    assert percentile(counts(0.5, 60_000), 0.99) == 10_000  # it took longer; how long isn't known
    assert percentile(np.zeros(BUCKETS, int)) is None


def test_counts_that_begin_anew_are_no_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.requested("/v1/popular", "GET", 200, 0.0025)
    late = Latency()
    monkeypatch.setattr(latency, "counted", lambda: np.zeros(BUCKETS, int))
    assert (late.recent().answers, late.recent().p99) == (0, None)


def test_only_what_came_lately_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(latency, "monotonic", lambda: now[0])
    late = Latency()
    metrics.requested("/v1/popular", "GET", 200, 0.0025)
    metrics.requested("/docs", "GET", 200, 5)
    metrics.requested("/v1/status", "GET", 200, 5)
    now[0] += 100
    first = late.recent()
    assert (first.seconds, first.answers) == (100, 1)
    assert first.p99 is not None and 2 < first.p99 <= 3
    now[0] += 59
    metrics.requested("/v1/popular", "GET", 200, 0.0005)
    assert (late.recent().seconds, late.recent().answers) == (159, 2)  # since before the last minute
    now[0] += 1
    again = late.recent()
    assert (again.seconds, again.answers) == (60, 1)
    assert again.p99 is not None and again.p99 <= 1
