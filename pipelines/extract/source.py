"""What every source of orders offers, and how it says what its rows mean."""

import datetime as dt
import re
import zlib
import zoneinfo
from collections.abc import Iterable
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines import columns as c
from pipelines.extract.staging import Staging
from pipelines.run.progress import Progress
from serving.toml import FrozenModel

ISO_DAY = r"^\d{4}-\d\d-\d\d"
DAY_LETTERS = len("2026-01-31")

Position = dict[str, Any]  # how far a source was read, in its own words; JSON


class Dialect(FrozenModel):
    """How a source writes its orders."""

    timezone: str = "UTC"  # of times that state none
    row_key: tuple[str, ...] = Field((c.ORDER_ID, c.LINE), min_length=1)  # rows that agree on these are one
    not_products: str = ""  # regular expression of codes that are no products: postage, fees, vouchers
    guests: bool = False  # whether an order without a customer is a good order

    @field_validator("timezone")
    @classmethod
    def _known(cls, zone: str) -> str:
        if zone not in zoneinfo.available_timezones():
            raise ValueError("no time zone has this name; write it as Europe/London")
        return zone

    @field_validator("not_products")
    @classmethod
    def _regular(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return pattern


class LastPull(BaseModel):
    """What is known of a source before it is asked for more."""

    model_config = ConfigDict(frozen=True)

    last_day: dt.date  # of the orders known
    reached: Position


class Source(Protocol):
    """A shop's orders and goods, as received.

    An order comes whole: where a later answer names it again, that answer replaces all its lines.
    """

    name: str  # of its own among all sources; names folders
    description: str  # names the source in messages
    dialect: Dialect
    plan: dict[str, Any]  # how it is read now; pages kept under another plan are of no use

    def last_day(self, since: LastPull | None) -> dt.date:
        """The last complete day that the source can give."""

    def orders(self, since: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """How far it was read; all order lines since then, or all there are, are in staging.

        Pages that staging holds from a run that was killed aren't asked for again.
        """

    def products(self) -> pa.Table | None:
        """The catalogue of now, as RAW_PRODUCTS has it; None where order lines alone tell of products."""


def source_name(kind: str, *parts: str) -> str:
    """A source's name: its kind and a short hash of what tells it from others of that kind."""
    return f"{kind}-{zlib.crc32('|'.join(parts).encode()):08x}"


def latest_plausible_day() -> str:
    """The last day that an order may truly have: tomorrow, for somewhere it is that already."""
    return str(dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1))


def last_iso_day(times: Iterable[pa.ChunkedArray | pa.Array]) -> dt.date | None:
    """The latest day, up to tomorrow, of times as text; None where none begins with an ISO day."""
    limit = latest_plausible_day()
    latest = ""
    for column in times:
        days = pc.utf8_slice_codeunits(column, 0, DAY_LETTERS)
        good = pc.and_(pc.match_substring_regex(days, ISO_DAY), pc.less_equal(days, limit))
        latest = max(latest, pc.max(days.filter(good)).as_py() or "")
    try:
        return dt.date.fromisoformat(latest)
    except ValueError:
        return None
