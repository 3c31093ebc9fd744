"""The step `validate`: checks the raw lines and writes `orders` and `goods`, or rejects the nightly run."""

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
from ibis import Table

from expectations import suites
from expectations.findings import Finding
from expectations.measure import Measure
from expectations.suites import Expectation
from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines import extract
from pipelines.extract import events, product_history, raw
from pipelines.extract.source import Source
from pipelines.extract.staging import RAW_ORDERS
from pipelines.lake import engine, tables
from pipelines.run import tracking
from pipelines.run.night import Night
from pipelines.settings import customer_key, settings
from pipelines.validate import (
    history,
    measures,
    outputs,
    profile,
    quarantine,
    row_checks,
    run_measures,
    waterfall,
)
from pipelines.validate.history import PassedRun, Verdict
from pipelines.validate.largest_customer import largest_customer
from pipelines.validate.run_measures import guests_advice
from pipelines.validate.service_purchases import mark_duplicates
from serving.errors import NightshelfError
from serving.live.identity import Pseudonymiser

MAX_FINDINGS = 5  # in an error message
Judge = Callable[[dt.date, Sequence[Expectation], Sequence[Measure]], list[Finding]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Received:
    """The lines of a nightly run after the row checks, and what the last run that passed saved."""

    checked: Table
    tallied: pd.DataFrame
    fetched: int
    until: dt.datetime  # when the newest line was received
    before: PassedRun | None


def _checkpoint(day: dt.date, expected: Sequence[Expectation], measured: Sequence[Measure]) -> list[Finding]:
    """Returns what the checkpoint of Great Expectations finds, whose Data Docs stay in HOME."""
    from expectations import context  # takes seconds to import

    return context.check(settings().home, day, expected, measured)


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
        received.checked.release()
    return counts | {"warnings": [str(finding) for finding in warnings]}


def write(
    night: Night,
    source: Source,
    received: Received,
    counts: dict[str, int],
    judge: Judge = _checkpoint,
) -> list[Finding]:
    """Always writes the quarantine, and the other tables only if the run passes; returns the warnings.

    judge: finds the expectations that aren't met. Raises NightshelfError if validation rejects the run.
    """
    identify = Pseudonymiser(customer_key(), source.dialect.identity)
    quarantined = outputs.quarantine(received.checked, night.run_id, identify)
    listed = product_history.catalogue(source.name, night.as_of)
    tables.write_computed(tables.QUARANTINE.format(day=night.as_of), quarantined)
    sold = outputs.goods(received.checked).to_pyarrow() if listed is None else None
    if not any(counts[fate] for fate in row_checks.GOOD):
        fates = ", ".join(f"{fate} {lines}" for fate, lines in counts.items() if lines)
        free = (
            ', or set free_lines = "keep" in the mapping to keep free lines'
            if row_checks.FREE in counts
            else ""
        )
        raise NightshelfError(
            f"validation rejected the nightly run: no order line is left after validation ({fates}): list the"
            f" quarantined lines with `nightshelf quarantine list`{free}{guests_advice(night, counts)}"
        )
    findings: list[Finding] = []

    def save(url: str) -> None:
        # Checked before the new version becomes visible: a rejected run leaves `orders` unchanged.
        engine.write(outputs.orders(received.checked, identify), url)
        findings.extend(_check(night, source, received, counts, engine.scan([url]), listed, judge))

    tables.replace(tables.ORDERS, save)
    tables.write(tables.GOODS, sold if listed is None else listed)
    return findings


def receive(night: Night, source: Source) -> Received:
    """Returns the lines in raw/ with their fates; they stay cached until `checked` is released."""
    if not (received := raw.pulls(source.name)):
        raise NightshelfError(f"raw/ holds no data of {source.description}: run the step extract first")
    purchases = raw.pulls(events.SOURCE_NAME)
    fetched, until = raw.extent(received + purchases)
    engine.fit_to_size(fetched)
    lines = outputs.with_shop_ids(tables.scan(*received, schema=RAW_ORDERS))
    if purchases:
        lines = lines.union(tables.scan(*purchases, schema=RAW_ORDERS))
    before = history.last_passed(source.name, night.as_of)
    checked = engine.cached(
        row_checks.check(lines, source.dialect, night.as_of, thresholds().rows, _releases())
    )
    if purchases:
        checked = engine.cached(
            mark_duplicates(checked, Pseudonymiser(customer_key(), source.dialect.identity))
        )
    tallied = waterfall.tally(checked, (before.received_until, before.as_of) if before else None)
    return Received(checked, tallied, fetched, until, before)


def _releases() -> Table | None:
    if not tables.exists(tables.RELEASES):
        return None
    return tables.scan(tables.RELEASES, schema=quarantine.RELEASED)


def _check(
    night: Night,
    source: Source,
    received: Received,
    counts: dict[str, int],
    orders: Table,
    listed: pa.Table | None,
    judge: Judge,
) -> list[Finding]:
    """Checks the expectations and records the results; returns the warnings.

    Raises NightshelfError for findings of severity critical.
    """
    ids = None if listed is None else engine.table(listed.select([c.PRODUCT]))
    days = profile.profile(received.tallied, orders, ids, night.as_of)
    customers = profile.sample(orders)
    measured = [
        *run_measures.of_days(night, source, received.before, days),
        *measures.total_measures(days, night.as_of),
        *run_measures.of_lines(night, received.tallied, counts),
        *run_measures.of_pulls(night, source),
        run_measures.columns(night, orders),
        largest_customer(orders, night.as_of),
        *run_measures.compared(night, source, received.before, days, customers, listed),
    ]
    expected = _expectations(measured)
    findings = _report(night, judge(night.as_of, expected, measured))
    verdict = Verdict(_outcome(night, findings), findings, received.until)
    history.record(source.name, night, verdict, expected, measured)
    _stop(night, findings)
    history.save_profile(source.name, days, customers)
    return findings


def _expectations(measured: list[Measure]) -> list[Expectation]:
    bounds = thresholds()
    why = "more than NIGHTSHELF_QUARANTINE_SHARE: list them with `nightshelf quarantine list`"
    share = settings().quarantine_share
    return [
        Expectation("orders", "quarantined", "critical", None, share, why),
        *suites.expectations("orders", bounds.orders, measured),
        *suites.expectations("customers", bounds.customers, measured),
        *suites.expectations("catalogue", bounds.catalogue, measured),
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
