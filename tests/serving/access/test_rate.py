"""The rate limit of a key, with a clock that only the test moves."""

import pytest

from serving.access.rate import RateLimiter

pytestmark = pytest.mark.fast


class Clock:
    """A clock that shows the time in `now`."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_allows_a_burst_of_one_second_s_worth_and_then_the_rate() -> None:
    clock = Clock()
    limiter = RateLimiter(4, clock)
    assert [limiter.delay("shop") for _ in range(5)] == [0, 0, 0, 0, 0.25]
    clock.now += 0.25
    assert [limiter.delay("shop"), limiter.delay("shop")] == [0, 0.25]
    clock.now += 60
    assert [limiter.delay("shop") for _ in range(5)] == [
        0,
        0,
        0,
        0,
        0.25,
    ]  # unused allowance doesn't accumulate


def test_limits_each_name_separately() -> None:
    limiter = RateLimiter(1, Clock())
    assert [limiter.delay("shop"), limiter.delay("cron"), limiter.delay("shop")] == [0, 0, 1]


def test_a_refused_request_does_not_count() -> None:
    clock = Clock()
    limiter = RateLimiter(1, clock)
    assert [limiter.delay("shop") for _ in range(4)] == [0, 1, 1, 1]
    clock.now += 1
    assert limiter.delay("shop") == 0


@pytest.mark.parametrize(("per_second", "delay"), [(0.5, 2.0), (0.1, 10.0)])
def test_allows_a_rate_below_one_per_second(per_second: float, delay: float) -> None:
    limiter = RateLimiter(per_second, Clock())
    assert [limiter.delay("shop"), limiter.delay("shop")] == [0, delay]
