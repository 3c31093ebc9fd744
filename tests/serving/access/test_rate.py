"""The rate of a key, by a clock that stands where it is put."""

import pytest

from serving.access.rate import Rate


class Clock:
    """A time that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_second_s_worth_may_come_at_once_and_then_one_by_one() -> None:
    clock = Clock()
    rate = Rate(4, clock)
    assert [rate.wait("shop") for _ in range(5)] == [0, 0, 0, 0, 0.25]
    clock.now += 0.25
    assert [rate.wait("shop"), rate.wait("shop")] == [0, 0.25]
    clock.now += 60
    assert [rate.wait("shop") for _ in range(5)] == [0, 0, 0, 0, 0.25]  # nothing is saved up


def test_each_name_has_a_rate_of_its_own() -> None:
    rate = Rate(1, Clock())
    assert [rate.wait("shop"), rate.wait("cron"), rate.wait("shop")] == [0, 0, 1]


def test_a_refused_request_does_not_count() -> None:
    clock = Clock()
    rate = Rate(1, clock)
    assert [rate.wait("shop") for _ in range(4)] == [0, 1, 1, 1]
    clock.now += 1
    assert rate.wait("shop") == 0


@pytest.mark.parametrize(("per_second", "wait"), [(0.5, 2.0), (0.1, 10.0)])
def test_a_rate_below_one_a_second(per_second: float, wait: float) -> None:
    rate = Rate(per_second, Clock())
    assert [rate.wait("shop"), rate.wait("shop")] == [0, wait]
