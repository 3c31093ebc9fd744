"""A shop's calendar names its closed days and its sales."""

import datetime as dt

import pytest

from pipelines.settings import settings
from pipelines.validate import calendar
from pipelines.validate.calendar import Calendar
from serving.errors import NightshelfError

pytestmark = pytest.mark.fast

EXAMPLE = calendar.__file__.replace("calendar.py", "calendar_example.toml")


def date(text):
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("period", "inside", "outside"),
    [
        ("2026-12-24", ["2026-12-24"], ["2025-12-24", "2026-12-25"]),
        ("12-24", ["2026-12-24", "2031-12-24"], ["2026-12-23"]),
        ("02-29", ["2028-02-29"], ["2027-03-01"]),
        ("2026-08-03/2026-08-14", ["2026-08-03", "2026-08-14"], ["2026-08-02", "2026-08-15", "2027-08-05"]),
        ("12-24/", ["2026-12-24"], ["2026-12-25"]),
        ("12-24 / 12-26", ["2026-12-25", "2027-12-26"], ["2026-12-27"]),
        ("12-27/01-05", ["2026-12-27", "2027-01-05", "2027-12-31"], ["2027-01-06", "2026-12-26"]),
    ],
)
def test_a_period_is_a_day_or_several_in_one_year_or_in_all(period, inside, outside):
    closed = Calendar(closed=(period,))
    assert all(closed.is_closed(date(day)) for day in inside)
    assert not any(closed.is_closed(date(day)) for day in outside)


@pytest.mark.parametrize(
    "period",
    [
        "",
        "24.12.2026",
        "2026-13-01",
        "02-30",
        "2026-12-24/12-26",
        "12-24/2026-12-26",
        "2026-12-26/2026-12-24",
        "1-1",
    ],
)
def test_an_invalid_period_is_refused(period):
    with pytest.raises(ValueError, match="closed"):
        Calendar(closed=(period,))


def test_the_largest_sale_of_a_day_counts():
    sales = Calendar(sale=({"days": ["11-27"], "factor": 7}, {"days": ["11-20/11-30"], "factor": 3}))
    assert [sales.factor(date(f"2026-{day}")) for day in ("11-27", "11-28", "12-01")] == [7, 3, 1]


def test_the_calendar_names_closed_days_and_days_of_a_sale():
    shop = Calendar(closed=("12-25",), sale=({"days": ["11-27"], "factor": 7},))
    assert [shop.names(date(f"2026-{day}")) for day in ("12-25", "11-27", "11-28")] == [True, True, False]


def test_the_example_can_be_used(home, monkeypatch):
    assert calendar.load() == calendar.ORDINARY
    monkeypatch.setenv("NIGHTSHELF_CALENDAR", EXAMPLE)
    settings.cache_clear()
    shop = calendar.load()
    assert shop.is_closed(date("2030-12-25"))
    assert shop.factor(date("2026-11-28")) == 8


def test_tomls_own_dates_are_read_and_a_wrong_file_is_named(home, tmp_path, monkeypatch):
    file = tmp_path / "days.toml"
    monkeypatch.setenv("NIGHTSHELF_CALENDAR", str(file))
    settings.cache_clear()
    with pytest.raises(NightshelfError, match="NIGHTSHELF_CALENDAR"):
        calendar.load()
    file.write_text("closed = [2026-12-24]")
    assert calendar.load().is_closed(date("2026-12-24"))
    file.write_text('[[sale]]\ndays = ["11-27"]\nfactor = 1')
    with pytest.raises(NightshelfError, match=r"NIGHTSHELF_CALENDAR.*factor"):
        calendar.load()
