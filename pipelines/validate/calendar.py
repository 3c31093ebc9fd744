"""A shop's calendar: the days on which it is closed or has a sale, as data of the shop."""

import datetime as dt
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import AfterValidator, BeforeValidator, Field

from pipelines.settings import settings
from serving import toml
from serving.toml import FrozenModel

ADVICE = (
    "write a day as 2026-12-24, or as 12-24 for every year, and a period as two such days with a / between"
)
DAY = re.compile(r"(?:(\d{4})-)?(\d\d)-(\d\d)")
LEAP_YEAR = 2024  # has all days that a calendar can name for every year


def _checked_period(text: str) -> str:
    first, last = _bounds(text)
    if len(first) != len(last) or (_is_dated(first) and first > last):
        raise ValueError(f"the period's first and last day don't fit each other: {ADVICE}")
    for end in (first, last):
        if not DAY.fullmatch(end):
            raise ValueError(ADVICE)
        dt.date.fromisoformat(end if _is_dated(end) else f"{LEAP_YEAR}-{end}")
    return text


# A day or a period, each with its year or for every year; TOML's own dates are accepted as well.
Period = Annotated[str, BeforeValidator(str), AfterValidator(_checked_period)]


class Sale(FrozenModel):
    """Days of a sale, and how many times as much as usual the shop may sell on each of them."""

    days: tuple[Period, ...] = Field(min_length=1)
    factor: float = Field(gt=1)
    why: str = ""


class Calendar(FrozenModel):
    """The content of a calendar file."""

    closed: tuple[Period, ...] = ()
    sale: tuple[Sale, ...] = ()

    def is_closed(self, day: dt.date) -> bool:
        """Returns whether the shop is closed on a day: no order is no sign of a fault."""
        return any(map(_contains(day), self.closed))

    def factor(self, day: dt.date) -> float:
        """Returns how many times as much as usual the shop may sell on a day; 1 without a sale."""
        return max([1.0, *(sale.factor for sale in self.sale if any(map(_contains(day), sale.days)))])

    def names(self, day: dt.date) -> bool:
        """Returns whether a day is one of a sale, or one on which the shop is closed."""
        return self.is_closed(day) or self.factor(day) > 1

    def mask(self, days: pd.DatetimeIndex) -> "list[bool]":
        """Returns for each day whether the calendar names it."""
        return [self.names(day.date()) for day in days]


ORDINARY = Calendar()  # without any special day


def load() -> Calendar:
    """Returns the shop's calendar; raises NightshelfError naming the file and what is wrong in it."""
    file = settings().calendar
    return toml.read(Calendar, Path(file), f"NIGHTSHELF_CALENDAR ({file})") if file else ORDINARY


def _contains(day: dt.date) -> Callable[[str], bool]:
    """Returns a test for periods that hold a day."""
    return partial(_is_within, day)


def _is_within(day: dt.date, period: str) -> bool:
    first, last = _bounds(period)
    text = day.isoformat() if _is_dated(first) else f"{day:%m-%d}"
    if first <= last:
        return first <= text <= last
    return text >= first or text <= last  # from one year into the next


def _bounds(period: str) -> tuple[str, str]:
    first, _, last = period.partition("/")
    return first.strip(), last.strip() or first.strip()


def _is_dated(day: str) -> bool:
    return len(day) > len("12-24")
