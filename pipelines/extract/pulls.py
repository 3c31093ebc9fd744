"""A pull: what is new at a source since the last one, taken into raw/ as one act."""

import datetime as dt
from functools import partial

from pipelines import columns as c
from pipelines.extract import product_history, raw
from pipelines.extract.source import LastPull, Source, last_iso_day
from pipelines.extract.staging import Staging
from pipelines.run.progress import Progress
from pipelines.settings import settings
from serving.errors import NightshelfError


def pull(source: Source, as_of: dt.date, full: bool, progress: Progress) -> dict[str, int]:
    """Rows and goods that are new in raw/, after a pull of what a night of that day needs.

    full: from the source's beginning, instead of since the last pull. A day that lies before all that
    a pull would ask for is known already, and nothing is asked.
    """
    rows, whole = 0, False
    while not whole and (full or not _known(source, as_of)):
        written, begun = _pull_once(source, full, progress)
        rows, full = rows + written, False
        whole = begun is None or begun.date() > as_of
    return {"new_order_lines": rows, "changed_goods": product_history.pull(source, as_of)}


def last_pull(source: Source) -> LastPull | None:
    """What is known of a source; None before the first pull."""
    mark = raw.watermark(source.name)
    return LastPull(last_day=mark.last_day, reached=mark.reached) if mark else None


def _known(source: Source, as_of: dt.date) -> bool:
    mark = raw.watermark(source.name)
    return mark is not None and as_of < mark.last_day - dt.timedelta(days=settings().overlap_days)


def _pull_once(source: Source, full: bool, progress: Progress) -> tuple[int, dt.datetime | None]:
    """The rows written; and when it began, if a run before began it: later orders may be missing then."""
    before = None if full else last_pull(source)
    plan = source.plan | {"known": before.model_dump(mode="json") if before else None}
    staging = Staging(source.name, plan)
    last = raw.watermark(source.name)
    if last and last.id == staging.id:  # killed after it was in raw/, before its pages were removed
        staging.remove()
        return 0, staging.started
    resumed = bool(staging.pages())
    reached = source.orders(before, staging, progress)
    day = _last_day(staging)
    if before is None and day is None:
        raise NightshelfError(
            f"{source.description} gave no order line with a date: see that it holds orders, each with an ISO time"
        )
    mark = raw.Watermark(
        id=staging.id,
        started=staging.started,
        last_day=max(found for found in (day, before and before.last_day) if found),
        reached=reached,
        full=before is None,
    )
    staged = staging.read if before is None else partial(raw.changed_orders, source.name, staging.read)
    staging.check_owner()
    rows = raw.append(source.name, mark, staged())
    staging.remove()
    return rows, staging.started if resumed else None


def _last_day(staging: Staging) -> dt.date | None:
    return last_iso_day(rows[c.ORDERED_AT] for rows in raw.batches(staging.read()))
