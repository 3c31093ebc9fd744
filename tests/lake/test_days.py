"""A shop's days end at midnight in its time zone."""

import datetime as dt

import pytest
from frames import frame, tuples

from pipelines.lake.days import day_of
from pipelines.settings import settings

LATE = dt.datetime(2026, 11, 20, 23, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", "2026-11-20"), ("Asia/Tokyo", "2026-11-21"), ("America/Los_Angeles", "2026-11-20")],
)
def test_a_moment_belongs_to_the_day_of_the_shops_time_zone(home, monkeypatch, zone, day):
    monkeypatch.setenv("NIGHTSHELF_TIMEZONE", zone)
    settings.cache_clear()
    times = frame([(LATE,)], "time timestamp")
    assert tuples(times.select(day=day_of(times.time))) == [(dt.date.fromisoformat(day),)]
