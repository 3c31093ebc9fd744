"""The step `validate`: checks the raw lines and writes `orders` and `goods`, or rejects the nightly run."""

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from expectations import context, suites
from expectations.context import Finding
from expectations.measure import Measure
from expectations.suites import Expectation
from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines import extract
from pipelines.extract import events, product_history, raw
from pipelines.extract.source import Source
from pipelines.extract.staging import RAW_ORDERS
from pipelines.lake import tables
from pipelines.lake.spark import run_concurrently, session, set_shuffle_partitions
from pipelines.run import tracking
from pipelines.run.night import Night
from pipelines.settings import customer_key, settings
from pipelines.validate import continuity, history, measures, outputs, profile, row_checks, waterfall
from pipelines.validate.history import PassedRun, Verdict
from pipelines.validate.service_purchases import mark_duplicates
from serving.errors import NightshelfError

CHECKED_DAYS = 7  # the most days since the last run that passed whose measures are checked
MIN_LINES = 100  # the quarantined share is taken of at least this many lines
MAX_FINDINGS = 5  # in an error message

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Received:
    """The lines of a nightly run after the row checks, and what the last run that passed saved."""

    checked: DataFrame
    tallied: pd.DataFrame
    fetched: int
    until: dt.datetime  # when the newest line was received
    before: PassedRun | None


def run(night: Night) -> dict[str, Any]:
    """Replaces `orders` and `goods` if the nightly run passes; returns the row waterfall and the warnings.

    Raises NightshelfError if an expectation of severity critical isn't met and no --let-pass reason is given.
    """
    source = extract.source(night.source, night.path, night.mapping)
    received = receive(night, source)
    try:
        counts = waterfall.waterfall(received.tallied, received.fetched)
        metrics = {f"rows_{name}": count for name, count in counts.items()}
        tracking.log(night.run_id, metrics, tags={history.SOURCE: source.name})
        warnings = write(night, source, received, counts)
    finally:
        received.checked.unpersist()
    return counts | {"warnings": [str(finding) for finding in warnings]}


def write(night: Night, source: Source, received: Received, counts: dict[str, int]) -> list[Finding]:
    """Always writes the quarantine, and the other tables only if the run passes; returns the warnings.

    Raises NightshelfError if validation rejects the run.
    """
    quarantined = outputs.quarantine(received.checked, night.run_id, customer_key())
    listed = product_history.catalogue(source.name, night.as_of)
    sold, _ = run_concurrently(
        lambda: outputs.goods(received.checked).toArrow() if listed is None else None,
        lambda: tables.write_spark(tables.QUARANTINE.format(day=night.as_of), quarantined),
    )
    if not any(counts[fate] for fate in row_checks.GOOD):
        fates = ", ".join(f"{fate} {lines}" for fate, lines in counts.items() if lines)
        raise NightshelfError(
            f"validation rejected the nightly run: no order line is left after validation ({fates}): list the"
            " quarantined lines with `nightshelf quarantine list`"
        )
    findings: list[Finding] = []

    def save(url: str) -> None:
        # Checked before the new version becomes visible: a rejected run leaves `orders` unchanged.
        outputs.orders(received.checked, customer_key()).write.parquet(url)
        findings.extend(_check(night, source, received, counts, session().read.parquet(url), listed))

    tables.replace(tables.ORDERS, save)
    tables.write(tables.GOODS, sold if listed is None else listed)
    return findings


def receive(night: Night, source: Source) -> Received:
    """Returns the lines in raw/ with their fates; they stay cached until `checked` is unpersisted."""
    if not (pulls := raw.pulls(source.name)):
        raise NightshelfError(f"raw/ holds no data of {source.description}: run the step extract first")
    pulls += (purchases := raw.pulls(events.SOURCE_NAME))
    fetched, until = raw.extent(pulls)
    set_shuffle_partitions(session(), fetched)
    received = tables.read_spark(session(), *pulls, schema=from_arrow_schema(RAW_ORDERS))
    before = history.last_passed(source.name, night.as_of)
    checked = row_checks.check(received, source.dialect, night.as_of, thresholds().rows, _releases()).cache()
    if purchases:
        checked = mark_duplicates(checked, customer_key()).cache()
    tallied = waterfall.tally(checked, (before.received_until, before.as_of) if before else None)
    return Received(checked, tallied, fetched, until, before)


def _releases() -> DataFrame | None:
    return tables.read_spark(session(), tables.RELEASES) if tables.exists(tables.RELEASES) else None


def _check(
    night: Night,
    source: Source,
    received: Received,
    counts: dict[str, int],
    orders: DataFrame,
    listed: pa.Table | None,
) -> list[Finding]:
    """Checks the expectations and records the results; returns the warnings.

    Raises NightshelfError for findings of severity critical.
    """
    ids = None if listed is None else session().createDataFrame(listed.select([c.PRODUCT]).to_pandas())
    days = profile.profile(received.tallied, orders, ids, night.as_of)
    customers = profile.sample(orders)
    run_measures = [
        *measures.day_measures(days, _checked_days(night, received.before)),
        *measures.total_measures(days, night.as_of),
        _quarantined(night, received.tallied),
        _duplicates(night, counts),
        _columns(night, orders),
        *_compared(night, source, received.before, days, customers, listed),
    ]
    expected = _expectations(run_measures)
    findings = context.check(settings().home, night.as_of, expected, run_measures)
    findings = _report(night, findings)
    verdict = Verdict(_outcome(night, findings), findings, received.until)
    history.record(source.name, night, verdict, expected, run_measures)
    _stop(night, findings)
    history.save_profile(source.name, days, customers)
    return findings


def _checked_days(night: Night, before: PassedRun | None) -> list[dt.date]:
    """Returns the days since the last run that passed, at most CHECKED_DAYS, ascending."""
    first = night.as_of - dt.timedelta(days=CHECKED_DAYS - 1)
    since = max(first, before.as_of + dt.timedelta(days=1)) if before else first
    return [since + dt.timedelta(days=day) for day in range((night.as_of - since).days + 1)]


def _duplicates(night: Night, counts: dict[str, int]) -> Measure:
    share = counts[waterfall.DUPLICATE] / counts[waterfall.FETCHED]
    return Measure(
        "duplicates", night.as_of, share, f"{share:.1%} of the lines fetched are duplicates or were replaced"
    )


def _columns(night: Night, orders: DataFrame) -> Measure:
    names = outputs.schema_differences(orders)
    message = f"{len(names)} columns of orders are missing, unknown or of another type"
    return Measure("columns", night.as_of, float(len(names)), f"{message} ({', '.join(names) or 'none'})")


def _quarantined(night: Night, tallied: pd.DataFrame) -> Measure:
    fates = waterfall.new_lines(tallied)
    by_check = waterfall.quarantined(fates)
    failed = sum(by_check.values())
    lines = failed + sum(fates.get(fate, 0) for fate in row_checks.GOOD)
    counts = ", ".join(f"{name} {count}" for name, count in by_check.items())
    message = f"{failed} of {lines} new order lines fail a row check ({counts or 'none'})"
    return Measure("quarantined", night.as_of, failed / max(lines, MIN_LINES), message)


def _compared(
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
        comparisons += continuity.customer_measures(before.customers, customers, days, checked_days)
    if catalogue is not None:
        then = product_history.catalogue(source.name, before.as_of) if before else None
        comparisons += continuity.catalogue_measures(then, catalogue, night.as_of)
    return comparisons


def _expectations(run_measures: list[Measure]) -> list[Expectation]:
    bounds = thresholds()
    why = "more than NIGHTSHELF_QUARANTINE_SHARE: list them with `nightshelf quarantine list`"
    share = settings().quarantine_share
    return [
        Expectation("orders", "quarantined", "critical", None, share, why),
        *suites.expectations("orders", bounds.orders, run_measures),
        *suites.expectations("customers", bounds.customers, run_measures),
        *suites.expectations("catalogue", bounds.catalogue, run_measures),
    ]


def _report(night: Night, findings: list[Finding]) -> list[Finding]:
    """Logs the findings and tags the run with them; returns them, critical ones first."""
    ordered = sorted(findings, key=lambda finding: finding.expectation.severity)
    for finding in ordered:
        log.info("%s: %s", finding.expectation.severity, finding)
    message = "; ".join(f"{finding.expectation.severity}: {finding}" for finding in ordered) or "passed"
    tracking.log(night.run_id, tags={"validation": message[: tracking.MAX_TAG_LENGTH]})
    return ordered


def _critical(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.expectation.severity == "critical"]


def _outcome(night: Night, findings: list[Finding]) -> history.Outcome:
    if not _critical(findings):
        return "passed"
    return "let pass" if night.let_pass else "stopped"


def _stop(night: Night, findings: list[Finding]) -> None:
    """Raises NightshelfError if a critical finding stops the run; tags the run if a person let it pass."""
    critical = _critical(findings)
    if not critical:
        return
    if night.let_pass:
        tracking.log(night.run_id, tags={"let_pass": night.let_pass})
        return
    more = f"; and {len(critical) - MAX_FINDINGS} more" if len(critical) > MAX_FINDINGS else ""
    message = "; ".join(map(str, critical[:MAX_FINDINGS])) + more
    raise NightshelfError(
        f"validation rejected the nightly run: {message}. Correct the data at the source and repeat the run"
        " (with --full if orders were deleted there), or let it pass with a reason (--let-pass, or the"
        " parameter let_pass in Airflow)"
    )
