"""The measures of a nightly run: of its days, its lines and its pulls, and compared with the run before."""

import datetime as dt
from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
from ibis import Table

from expectations.measure import Measure
from expectations.thresholds import thresholds
from pipelines.extract import product_history, pulls, raw
from pipelines.extract.source import Source
from pipelines.run.night import Night
from pipelines.validate import (
    calendar,
    continuity,
    history,
    measures,
    outputs,
    row_checks,
    severity,
    waterfall,
)
from pipelines.validate.history import PassedRun

CHECKED_DAYS = 7  # the most days since the last run that passed whose measures are checked
MIN_LINES = 100  # the quarantined share is taken of at least this many lines


def of_days(night: Night, source: Source, before: PassedRun | None, days: pd.DataFrame) -> list[Measure]:
    """Returns the measures of the checked days; the volume of days that an earlier run checked only warns."""
    special = calendar.load()
    compared = measures.day_measures(days, _checked_days(night, before), special)
    checked_until = history.last_checked(source.name, night.as_of)
    return severity.checked_before(severity.announced(compared, special), checked_until, thresholds())


def of_lines(night: Night, tallied: pd.DataFrame, counts: dict[str, int]) -> list[Measure]:
    """Returns the shares of lines that are quarantined, duplicates, and of several customers' order ids."""
    return [_quarantined(night, tallied), _duplicates(night, counts), _shared_ids(night, tallied)]


def of_pulls(night: Night, source: Source) -> Iterator[Measure]:
    """Yields measures of the pulls: orders that a full dump lacks, and pulls by another mapping."""
    watermarks = raw.watermarks(source.name)
    if source.dialect.full_dumps != "no":
        missing = watermarks[-1].missing
        message = f"the newest file lacks {missing} orders that earlier files hold"
        yield Measure("not_in_dump", night.as_of, float(missing), message)
    own = pulls.read_as(source.dialect)
    others = sum(watermark.read_as not in (own, "") for watermark in watermarks)
    message = f"{others} of {len(watermarks)} pulls were read by another mapping than now"
    yield Measure("other_mapping", night.as_of, float(others), message)


def columns(night: Night, orders: Table) -> Measure:
    """Returns the number of columns in which a table differs from `orders`."""
    names = outputs.schema_differences(orders)
    message = f"{len(names)} columns of orders are missing, unknown or of another type"
    return Measure("columns", night.as_of, float(len(names)), f"{message} ({', '.join(names) or 'none'})")


def compared(
    night: Night,
    source: Source,
    before: PassedRun | None,
    days: pd.DataFrame,
    customers: pa.Table,
    catalogue: pa.Table | None,
) -> list[Measure]:
    """Returns the measures that compare the shop with the last run that passed."""
    comparisons: list[Measure] = []
    if before:
        checked_days = _checked_days(night, before)
        until = min(before.as_of, checked_days[0] - dt.timedelta(days=1))
        comparisons += continuity.order_measures(before.days, days, until, night.as_of)
        checked_until = history.last_checked(source.name, night.as_of) or before.as_of
        new_days = [day for day in checked_days if day > checked_until] or checked_days[-1:]
        recognised = continuity.customer_measures(before.customers, customers, days, new_days)
        comparisons += severity.announced(recognised, calendar.load())
    if catalogue is not None:
        then = product_history.catalogue(source.name, before.as_of) if before else None
        comparisons += continuity.catalogue_measures(then, catalogue, night.as_of)
    return comparisons


def _checked_days(night: Night, before: PassedRun | None) -> list[dt.date]:
    """Returns the days since the last run that passed, at most CHECKED_DAYS, ascending."""
    first = night.as_of - dt.timedelta(days=CHECKED_DAYS - 1)
    since = max(first, before.as_of + dt.timedelta(days=1)) if before else first
    return [since + dt.timedelta(days=day) for day in range((night.as_of - since).days + 1)]


def _quarantined(night: Night, tallied: pd.DataFrame) -> Measure:
    fates = waterfall.new_lines(tallied)
    by_check = waterfall.quarantined(fates)
    failed = sum(by_check.values())
    lines = failed + sum(fates.get(fate, 0) for fate in row_checks.GOOD)
    counts = ", ".join(f"{name} {count}" for name, count in by_check.items())
    message = f"{failed} of {lines} new order lines fail a row check ({counts or 'none'})"
    message += guests_advice(night, by_check)
    return Measure("quarantined", night.as_of, failed / max(lines, MIN_LINES), message)


def guests_advice(night: Night, counts: dict[str, int]) -> str:
    """Returns the advice that names the setting for guests, if lines without a customer are quarantined."""
    if not counts.get(row_checks.NO_CUSTOMER):
        return ""
    setting = "NIGHTSHELF_SHOP_GUESTS=true" if night.source == "shop-api" else "guests = true in the mapping"
    return f"; if orders of guests are valid, set {setting}"


def _duplicates(night: Night, counts: dict[str, int]) -> Measure:
    share = counts[waterfall.DUPLICATE] / counts[waterfall.FETCHED]
    return Measure(
        "duplicates", night.as_of, share, f"{share:.1%} of the lines fetched are duplicates or were replaced"
    )


def _shared_ids(night: Night, tallied: pd.DataFrame) -> Measure:
    shared, lines = int(tallied[waterfall.SHARED].sum()), int(tallied[waterfall.LINES].sum())
    message = f"{shared} order lines have the order id of another customer's order"
    return Measure("shared_ids", night.as_of, shared / max(lines, 1), message)
