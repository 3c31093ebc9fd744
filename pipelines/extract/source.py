"""The interface that every source of orders implements, and the settings that interpret its rows."""

import datetime as dt
import re
import zlib
import zoneinfo
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from pipelines import columns as c
from pipelines.extract.staging import Staging
from pipelines.run.progress import Progress
from pipelines.settings import settings
from serving.live.identity import IdentityRule
from serving.toml import FrozenModel

SPACE_BEFORE_OFFSET = re.compile(r"\s+(?=[+-]|Z|UTC)")

Position = dict[str, Any]  # how far a source has been read; JSON, its keys are the source's own


def _valid_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_valid_pattern)]


class Dialect(FrozenModel):
    """How a source writes its orders."""

    timezone: str = "UTC"  # of times without an offset
    times: tuple[str, ...] = ()  # strptime formats, or iso, seconds, milliseconds; by default recognised
    decimal: Literal[".", ","] | None = None  # the decimal sign; by default recognised
    row_key: tuple[str, ...] = Field((c.ORDER_ID, c.LINE), min_length=1)  # rows equal in these are duplicates
    not_products: Pattern = ""  # regular expression of codes that are not products: postage, fees, vouchers
    guests: bool = False  # whether an order without a customer is valid
    free_lines: Literal["leave_out", "keep"] = "leave_out"  # lines at price 0: gifts, samples, bundles' parts
    identity: IdentityRule = IdentityRule()

    @property
    def has_prices(self) -> bool:
        """Whether the source states prices at all."""
        return True

    @property
    def split_orders(self) -> bool:
        """Whether the lines of one order may lie in several files."""
        return False

    @property
    def full_dumps(self) -> Literal["no", "report", "remove"]:
        """What to do with orders that the newest file lacks, if each file holds all orders of the shop."""
        return "no"

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            raise ValueError("unknown time zone; write an IANA name such as Europe/London")
        return name


class LastPull(BaseModel):
    """What the last pull left: an incremental pull starts from here."""

    model_config = ConfigDict(frozen=True)

    last_day: dt.date  # the latest day of an order in raw/
    reached: Position


class Source(Protocol):
    """A shop's orders and products, as received.

    A source returns whole orders: a later page or file that repeats an order replaces all its lines.
    """

    name: str  # unique among all sources; part of folder names
    description: str  # names the source in messages
    dialect: Dialect
    plan: dict[str, Any]  # how the source is read; staged pages of another plan are discarded

    def last_day(self, last_pull: LastPull | None) -> dt.date:
        """Returns the last complete day of orders that the source can deliver."""

    def orders(self, last_pull: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """Writes the order lines since the last pull, or all, to staging, and returns the new position.

        Pages that a killed run left in staging are not fetched again.
        """

    def products(self) -> pa.Table | None:
        """Returns the present catalogue in the schema RAW_PRODUCTS, or None if the source has none."""


def source_name(kind: str, *parts: str) -> str:
    """Returns the kind of the source and a short hash of the parts that identify it."""
    return f"{kind}-{zlib.crc32('|'.join(parts).encode()):08x}"


def latest_plausible_day() -> str:
    """Returns tomorrow in UTC: later orders are mistakes, because no time zone is further ahead."""
    return str(dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1))


def last_iso_day(times: Iterable[pa.ChunkedArray | pa.Array], timezone: str = "UTC") -> dt.date | None:
    """Returns the latest plausible day in columns of times (strings), or None if there is no ISO date.

    It is the day as written or the day by NIGHTSHELF_TIMEZONE, whichever is earlier: of the later one, only a
    part may be known. timezone: of times without an offset.
    """
    limit = latest_plausible_day()
    latest = ""
    for column in times:
        days = pc.utf8_slice_codeunits(column, 0, c.ISO_DAY_LENGTH)
        plausible = pc.and_(pc.match_substring_regex(days, c.ISO_DAY), pc.less_equal(days, limit))
        latest = max(latest, pc.max(column.filter(plausible)).as_py() or "")
    return _shop_day(latest, timezone)


def _shop_day(time: str, timezone: str) -> dt.date | None:
    try:
        day = dt.date.fromisoformat(time[: c.ISO_DAY_LENGTH])
    except ValueError:
        return None
    try:
        moment = dt.datetime.fromisoformat(SPACE_BEFORE_OFFSET.sub("", time).replace("UTC", "Z").strip())
    except ValueError:
        return day
    own = moment if moment.tzinfo else moment.replace(tzinfo=zoneinfo.ZoneInfo(timezone))
    return min(day, own.astimezone(settings().zone).date())
