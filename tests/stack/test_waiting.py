"""Waiting: slow is reported, only what is stuck is an error; tests' own limits follow the machine."""

import os

import limits
import pytest

from pipelines.stack import waiting
from pipelines.stack.waiting import wait_for
from serving.errors import NightshelfError


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only by sleeping, ten per pause."""
    seconds = [0.0]
    monkeypatch.setattr(waiting.time, "monotonic", lambda: seconds[0])
    monkeypatch.setattr(waiting.time, "sleep", lambda _: seconds.__setitem__(0, seconds[0] + 10))
    return seconds


def test_reports_a_slow_wait_once_a_minute(clock, capsys):
    wait_for(lambda: clock[0] >= 150, "the shop to open")
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "  still waiting for the shop to open (70 s)",
        "  still waiting for the shop to open (130 s)",
    ]


def test_reports_nothing_if_the_wait_is_short(clock, capsys):
    wait_for(lambda: clock[0] >= 50, "the shop to open")
    assert capsys.readouterr().out == ""


def test_gives_up_only_after_an_hour(clock):
    with pytest.raises(NightshelfError, match="3610 seconds of waiting for the shop to open"):
        wait_for(lambda: False, "the shop to open")


def test_an_error_of_the_check_ends_the_wait(clock):
    def is_done():
        raise NightshelfError("it ended")

    with pytest.raises(NightshelfError, match="it ended"):
        wait_for(is_done, "the shop to open")
    assert clock == [0.0]


@pytest.mark.parametrize(("load", "expected"), [(0.0, 1.0), (7.0, 4.0), (500.0, limits.SLOWEST)])
def test_limits_of_tests_grow_with_the_load(monkeypatch, load, expected):
    monkeypatch.setattr(limits, "_measured", lambda: 0.5)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert limits.scaled(10) == 10 * expected


def test_limits_of_tests_grow_with_the_time_of_a_computation(monkeypatch):
    monkeypatch.setattr(limits, "_measured", lambda: 3.0)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    assert limits.scaled(10) == 30
