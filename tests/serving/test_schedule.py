"""The schedule of the nightly run, and which day is yesterday for it."""

import datetime as dt

import pytest

from serving.errors import NightshelfError
from serving.settings import ScheduleSettings, read

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("schedule", "cron"),
    [
        ("00:00", "0 0 * * *"),
        ("3:05", "5 3 * * *"),
        ("23:59", "59 23 * * *"),
        ("0 3 * * *", "0 3 * * *"),
        (" 30  2 * * MON-SAT ", "30 2 * * MON-SAT"),
        ("*/30 1,2 * * 1-5", "*/30 1,2 * * 1-5"),
    ],
)
def test_a_schedule_is_a_time_or_five_cron_fields(home, monkeypatch, schedule, cron):
    monkeypatch.setenv("NIGHTSHELF_SCHEDULE", schedule)
    assert read(ScheduleSettings).cron == cron


@pytest.mark.parametrize("wrong", ["24:00", "3 o'clock", "@daily at 3", "0 3 * *", "0 3 * * * *", "03:60"])
def test_a_wrong_schedule_names_the_setting(home, monkeypatch, wrong):
    monkeypatch.setenv("NIGHTSHELF_SCHEDULE", wrong)
    with pytest.raises(NightshelfError, match="NIGHTSHELF_SCHEDULE"):
        read(ScheduleSettings)


def test_a_wrong_time_zone_names_the_setting(home, monkeypatch):
    monkeypatch.setenv("NIGHTSHELF_TIMEZONE", "Berlin")
    with pytest.raises(NightshelfError, match=r"NIGHTSHELF_TIMEZONE.*Europe/Berlin"):
        read(ScheduleSettings)


@pytest.mark.parametrize(
    ("zone", "now", "yesterday"),
    [
        ("UTC", "2026-11-21T00:00:00", "2026-11-20"),
        ("UTC", "2026-11-21T03:00:00", "2026-11-20"),
        ("Europe/Berlin", "2026-11-20T23:00:00", "2026-11-20"),  # midnight in Berlin
        ("Europe/Berlin", "2026-11-20T22:59:59", "2026-11-19"),
        ("Asia/Tokyo", "2026-11-20T18:00:00", "2026-11-20"),
        ("America/Los_Angeles", "2026-11-21T03:00:00", "2026-11-19"),
    ],
)
def test_yesterday_is_the_last_complete_day_of_the_time_zone(home, monkeypatch, zone, now, yesterday):
    monkeypatch.setenv("NIGHTSHELF_TIMEZONE", zone)
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    assert str(read(ScheduleSettings).yesterday(moment)) == yesterday
