"""A pull: fetches what is new at a source since the last pull, and adds it to raw/ as one unit."""

import datetime as dt
import hashlib
import json
from itertools import chain

import pyarrow as pa

from pipelines import columns as c
from pipelines.extract import dumps, product_history, raw, versions
from pipelines.extract.source import Dialect, LastPull, Position, Source, last_iso_day
from pipelines.extract.staging import Staging
from pipelines.run.progress import Progress
from pipelines.settings import settings
from serving.errors import NightshelfError

# Parts of a mapping that only validation uses: changing them changes nothing in raw/.
AT_VALIDATION = {"timezone", "row_key", "not_products", "guests", "free_lines", "identity"}


def pull(source: Source, as_of: dt.date, full: bool, progress: Progress) -> dict[str, int]:
    """Pulls what a nightly run of this day needs; returns how many order lines and products are new in raw/.

    full: reads the source from its beginning instead of from the last pull. Otherwise no order is requested
    for a day before the period that each pull reads again, because its orders are in raw/ already.
    """
    rows, complete = 0, False
    while not complete and (full or not _is_known(source, as_of)):
        written, resumed_from = _pull_once(source, full, progress)
        rows, full = rows + written, False
        complete = resumed_from is None or resumed_from.date() > as_of
    return {"new_order_lines": rows, "changed_goods": product_history.pull(source, as_of)}


def last_pull(source: Source) -> LastPull | None:
    """Returns the state after the last pull, or None before the first."""
    watermark = raw.watermark(source.name)
    return LastPull(last_day=watermark.last_day, reached=watermark.reached) if watermark else None


def _is_known(source: Source, as_of: dt.date) -> bool:
    watermark = raw.watermark(source.name)
    return watermark is not None and as_of < watermark.last_day - dt.timedelta(days=settings().overlap_days)


def _pull_once(source: Source, full: bool, progress: Progress) -> tuple[int, dt.datetime | None]:
    """Returns the number of rows written and, if it resumed a killed pull, when that pull started.

    A resumed pull may lack orders placed after its start.
    """
    previous = None if full else last_pull(source)
    plan = source.plan | {"known": previous.model_dump(mode="json") if previous else None}
    staging = Staging(source.name, plan)
    watermark = raw.watermark(source.name)
    if watermark and watermark.id == staging.id:  # killed between writing to raw/ and clearing staging
        staging.remove()
        return 0, staging.started
    resumed = bool(staging.pages())
    reached = source.orders(previous, staging, progress)
    missing = _missing(source, previous, staging)
    before = watermark.missing if watermark and previous else 0
    new = _watermark(source, previous, staging, reached).model_copy(
        update={"missing": before if missing is None else missing.num_rows}
    )
    rows = _append(source, previous, staging, new, missing)
    return rows, staging.started if resumed else None


def _watermark(
    source: Source, previous: LastPull | None, staging: Staging, reached: Position
) -> raw.Watermark:
    times = (rows[c.ORDERED_AT] for rows in raw.batches(staging.read()))
    day = last_iso_day(times, source.dialect.timezone)
    if previous is None and day is None:
        raise NightshelfError(
            f"{source.description} returned no order line with a date: check that it holds orders and that"
            " each order's time begins with an ISO date such as 2026-01-31"
        )
    return raw.Watermark(
        id=staging.id,
        started=staging.started,
        last_day=max(known for known in (day, previous and previous.last_day) if known),
        reached=reached,
        full=previous is None,
        read_as=read_as(source.dialect),
    )


def read_as(dialect: Dialect) -> str:
    """Returns a digest of what a mapping says about reading; what validation uses may change without it."""
    stated = dialect.model_dump(mode="json", exclude_defaults=True, exclude=AT_VALIDATION)
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def _missing(source: Source, previous: LastPull | None, staging: Staging) -> pa.Table | None:
    """Returns the rows that replace orders which a new full dump lacks; None without such a dump."""
    if source.dialect.full_dumps == "no":
        return None
    known = raw.pulls(source.name) if previous else []
    last_day = previous.last_day if previous else None
    return dumps.missing_orders(known, last_day, staging.read, source.dialect.timezone)


def _append(
    source: Source,
    previous: LastPull | None,
    staging: Staging,
    watermark: raw.Watermark,
    missing: pa.Table | None,
) -> int:
    split = source.dialect.split_orders
    pages = versions.changed_orders(source.name, staging.read, split) if previous else staging.read()
    removals = [missing] if missing is not None and source.dialect.full_dumps == "remove" else []
    staging.check_owner()
    rows = raw.append(source.name, watermark, chain(pages, removals))
    staging.remove()
    return rows
