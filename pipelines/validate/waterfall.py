"""The row waterfall: how many of the lines fetched have each fate; the counts add up."""

import datetime as dt
import math

import ibis
import pandas as pd
from ibis import Table

from pipelines import columns as c
from pipelines.lake import functions
from pipelines.lake.days import day_of
from pipelines.validate.row_checks import (
    DROPPED,
    FATE,
    GOOD,
    LEFT_OUT,
    PAID,
    TIME,
    TYPICAL,
    UNITS,
    is_dropped,
)
from pipelines.validate.versions import SHARED_ID

FETCHED = "fetched"
DUPLICATE = "duplicate"

IS_NEW = "is_new"
LINES, REVENUE, LOG_PIECES, GUESTS = "lines", "revenue", "log_pieces", "guests"
PRICED, LOG_PRICE, MOVED = "priced", "log_price", "moved"

SHARED = "shared"
OTHER_REASONS = f"{LEFT_OUT}other_reasons"
MAX_REASONS = 20  # reasons of the mapping that are counted apart; the others are counted together

MOVED_BY = 2.0  # prices at least double or at most half the product's median count as moved


def tally(checked: Table, since: tuple[dt.datetime, dt.date] | None) -> pd.DataFrame:
    """Counts and sums of the lines by fate, day and whether they are new: a small table.

    since: the time at which the last run had received its newest line, and the day of that run. Lines
    received later, or ordered on a later day, are new. Without `since`, all lines are new.

    Columns:
    - fate, is_new, day
    - lines; revenue; guests: lines without a customer
    - log_pieces: the sum of the logarithms of the quantities
    - shared: lines whose order id belongs to several customers
    - priced: lines whose product has a typical price; log_price: the sum of the logarithms of price over
      typical price; moved: lines whose price is at least double or at most half the typical one
    """
    day = day_of(checked[TIME])
    is_new = ibis.literal(True)
    if since:
        received, judged = since
        later = (day > ibis.literal(judged)).fill_null(False)
        is_new = (checked[c.EXTRACTED_AT] > ibis.literal(received)) | later
    has_ratio = (checked[PAID] > 0) & (checked[TYPICAL] > 0)
    lines = checked.mutate(
        {
            IS_NEW: is_new,
            c.DAY: day,
            "_ratio": has_ratio.ifelse((checked[PAID] / checked[TYPICAL]).ln(), ibis.null(float)),
        }
    )
    units, ratio = lines[UNITS], lines._ratio
    counted = lines.group_by(FATE, IS_NEW, c.DAY).agg(
        {
            LINES: lines.count(),
            REVENUE: (units * lines[PAID]).sum(),
            LOG_PIECES: units.abs().nullif(0.0).ln().sum(),
            GUESTS: functions.count_if(lines[c.CUSTOMER].isnull()),
            SHARED: functions.count_if(lines[SHARED_ID]),
            PRICED: ratio.count(),
            LOG_PRICE: ratio.sum(),
            MOVED: functions.count_if(ratio.abs() >= math.log(MOVED_BY)),
        }
    )
    table: pd.DataFrame = counted.to_pandas()
    return table


def waterfall(tallied: pd.DataFrame, fetched: int) -> dict[str, int]:
    """Returns the number of lines fetched, then of each fate in the waterfall's order; they add up."""
    fates = {str(fate): int(lines) for fate, lines in tallied.groupby(FATE)[LINES].sum().items()}
    counts = {FETCHED: fetched, DUPLICATE: fetched - sum(fates.values())} | left_out(fates)
    counts |= {fate: fates[fate] for fate in DROPPED if fate in fates} | quarantined(fates)
    return counts | {fate: fates.get(fate, 0) for fate in reversed(GOOD)}


def left_out(fates: dict[str, int]) -> dict[str, int]:
    """Returns the lines that the mapping leaves out by reason, the largest number first."""
    counts = _largest_first({fate: lines for fate, lines in fates.items() if fate.startswith(LEFT_OUT)})
    rest = dict(list(counts.items())[MAX_REASONS:])
    return dict(list(counts.items())[:MAX_REASONS]) | ({OTHER_REASONS: sum(rest.values())} if rest else {})


def quarantined(fates: dict[str, int]) -> dict[str, int]:
    """Returns the quarantined lines by row check, the largest number first."""
    others = {FETCHED, DUPLICATE, *GOOD}
    return _largest_first(
        {fate: lines for fate, lines in fates.items() if fate not in others and not is_dropped(fate)}
    )


def _largest_first(fates: dict[str, int]) -> dict[str, int]:
    return dict(sorted(fates.items(), key=lambda item: (-item[1], item[0])))


def new_lines(tallied: pd.DataFrame) -> dict[str, int]:
    """Returns the new lines by fate: those received since the last run that passed."""
    new = tallied[tallied[IS_NEW]]
    return {str(fate): int(lines) for fate, lines in new.groupby(FATE)[LINES].sum().items()}
