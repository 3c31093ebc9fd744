"""The wiring of validation: raw lines in, `orders` and `goods` out, or the sentence that stops the night."""

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
from pipelines.extract import events, product_history, raw
from pipelines.extract.source import Source
from pipelines.extract.staging import RAW_ORDERS
from pipelines.lake import tables as lake
from pipelines.lake.spark import at_once, session, spread
from pipelines.run import tracking
from pipelines.run.night import Night
from pipelines.settings import customer_key, settings
from pipelines.validate import continuity, history, measures, outputs, profile, row_checks, waterfall
from pipelines.validate.history import PassedRun, Verdict
from pipelines.validate.service_purchases import mark_duplicates
from serving.errors import NightshelfError

JUDGED_DAYS = 7  # the latest days since the last night that passed, at most
FEW = 100  # lines; of fewer a share says nothing
TOLD = 5  # findings in an error message

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Received:
    """The lines of a night, judged one by one, and what the last night that passed left."""

    judged: DataFrame
    tallied: pd.DataFrame
    fetched: int
    until: dt.datetime  # when the newest line was received
    before: PassedRun | None


def validate(night: Night, source: Source) -> dict[str, Any]:
    """The row waterfall, and the warnings in words; `orders` and `goods` are replaced if the night passes.

    Raises NightshelfError where the night is bad and no reason is given to let it pass.
    """
    received = _receive(night, source)
    try:
        counts = waterfall.waterfall(received.tallied, received.fetched)
        metrics = {f"rows_{name}": count for name, count in counts.items()}
        tracking.log(night.run_id, metrics, tags={history.SOURCE: source.name})
        warnings = _write(night, source, received, counts)
    finally:
        received.judged.unpersist()
    return counts | {"warnings": [str(finding) for finding in warnings]}


def _write(night: Night, source: Source, received: Received, counts: dict[str, int]) -> list[Finding]:
    """The warnings; quarantine is written in any case, the other tables if the night passes."""
    broken = outputs.quarantine(received.judged, night.run_id, customer_key())
    listed = product_history.catalogue(source.name, night.as_of)
    sold, _ = at_once(
        lambda: outputs.goods(received.judged).toArrow() if listed is None else None,
        lambda: lake.write_spark(lake.QUARANTINE.format(day=night.as_of), broken),
    )
    if not any(counts[fate] for fate in row_checks.GOOD):
        fates = ", ".join(f"{fate} {lines}" for fate, lines in counts.items() if lines)
        raise NightshelfError(
            f"validation stopped the night: no order line is left after validation ({fates}): look at them by"
            " `nightshelf quarantine list`"
        )
    found: list[Finding] = []

    def save(url: str) -> None:
        # Checked before the table is seen: a bad night leaves `orders` as it was.
        outputs.orders(received.judged, customer_key()).write.parquet(url)
        found.extend(_check(night, source, received, counts, session().read.parquet(url), listed))

    lake.replace(lake.ORDERS, save)
    lake.write(lake.GOODS, sold if listed is None else listed)
    return found


def _receive(night: Night, source: Source) -> Received:
    if not (pulls := raw.pulls(source.name)):
        raise NightshelfError(f"raw/ holds nothing of {source.description}: run the step extract first")
    pulls += (told := raw.pulls(events.SOURCE_NAME))
    fetched, until = raw.extent(pulls)
    spread(session(), fetched)
    received = lake.read_spark(session(), *pulls, schema=from_arrow_schema(RAW_ORDERS))
    before = history.last_passed(source.name, night.as_of)
    judged = row_checks.check(received, source.dialect, night.as_of, thresholds().rows, _releases()).cache()
    if told:
        judged = mark_duplicates(judged, customer_key()).cache()
    tallied = waterfall.tally(judged, (before.received_until, before.as_of) if before else None)
    return Received(judged, tallied, fetched, until, before)


def _releases() -> DataFrame | None:
    return lake.read_spark(session(), lake.RELEASES) if lake.exists(lake.RELEASES) else None


def _check(
    night: Night,
    source: Source,
    received: Received,
    counts: dict[str, int],
    orders: DataFrame,
    listed: pa.Table | None,
) -> list[Finding]:
    """The warnings; what was found is kept. Raises NightshelfError for what is critical."""
    ids = None if listed is None else session().createDataFrame(listed.select([c.PRODUCT]).to_pandas())
    days = profile.profile(received.tallied, orders, ids, night.as_of)
    customers = profile.sample(orders)
    taken = [
        *measures.day_measures(days, _judged_days(night, received.before)),
        *measures.total_measures(days, night.as_of),
        _quarantined(night, received.tallied),
        _duplicates(night, counts),
        _columns(night, orders),
        *_compared(night, source, received.before, days, customers, listed),
    ]
    held = _rules(taken)
    found = _told(night, context.check(settings().home, night.as_of, held, taken))
    verdict = Verdict(_outcome(night, found), found, received.until)
    history.record(source.name, night, verdict, held, taken)
    _stop(night, found)
    history.save_profile(source.name, days, customers)
    return found


def _judged_days(night: Night, before: PassedRun | None) -> list[dt.date]:
    first = night.as_of - dt.timedelta(days=JUDGED_DAYS - 1)
    since = max(first, before.as_of + dt.timedelta(days=1)) if before else first
    return [since + dt.timedelta(days=day) for day in range((night.as_of - since).days + 1)]


def _duplicates(night: Night, counts: dict[str, int]) -> Measure:
    share = counts[waterfall.DUPLICATE] / counts[waterfall.FETCHED]
    return Measure(
        "duplicates", night.as_of, share, f"{share:.1%} of the lines fetched repeat others or were replaced"
    )


def _columns(night: Night, orders: DataFrame) -> Measure:
    others = outputs.schema_differences(orders)
    told = f"{len(others)} columns of orders are other ones or of other types ({', '.join(others) or 'none'})"
    return Measure("columns", night.as_of, float(len(others)), told)


def _quarantined(night: Night, tallied: pd.DataFrame) -> Measure:
    fates = waterfall.new_lines(tallied)
    broken = waterfall.quarantined(fates)
    judged = sum(broken.values()) + sum(fates.get(fate, 0) for fate in row_checks.GOOD)
    worst = ", ".join(f"{rule} {count}" for rule, count in broken.items())
    told = f"{sum(broken.values())} of {judged} new order lines break a row rule ({worst or 'none'})"
    return Measure("quarantined", night.as_of, sum(broken.values()) / max(judged, FEW), told)


def _compared(
    night: Night,
    source: Source,
    before: PassedRun | None,
    days: pd.DataFrame,
    customers: pa.Table,
    catalogue: pa.Table | None,
) -> list[Measure]:
    """The measures that compare tonight's shop with that of the last night."""
    taken: list[Measure] = []
    if before:
        judged = _judged_days(night, before)
        until = min(before.as_of, judged[0] - dt.timedelta(days=1))
        taken += continuity.order_measures(before.days, days, until, night.as_of)
        taken += continuity.customer_measures(before.customers, customers, days, judged)
    if catalogue is not None:
        then = product_history.catalogue(source.name, before.as_of) if before else None
        taken += continuity.catalogue_measures(then, catalogue, night.as_of)
    return taken


def _rules(taken: list[Measure]) -> list[Expectation]:
    known = thresholds()
    why = "more than NIGHTSHELF_QUARANTINE_SHARE: look at them by `nightshelf quarantine list`"
    share = settings().quarantine_share
    return [
        Expectation("orders", "quarantined", "critical", None, share, why),
        *suites.expectations("orders", known.orders, taken),
        *suites.expectations("customers", known.customers, taken),
        *suites.expectations("catalogue", known.catalogue, taken),
    ]


def _told(night: Night, found: list[Finding]) -> list[Finding]:
    """What was found, the critical first, after it was logged."""
    ordered = sorted(found, key=lambda finding: finding.expectation.severity)
    for finding in ordered:
        log.info("%s: %s", finding.expectation.severity, finding)
    told = "; ".join(f"{finding.expectation.severity}: {finding}" for finding in ordered) or "passed"
    tracking.log(night.run_id, tags={"validation": told[: tracking.TAG_LETTERS]})
    return ordered


def _critical(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.expectation.severity == "critical"]


def _outcome(night: Night, found: list[Finding]) -> history.Outcome:
    if not _critical(found):
        return "passed"
    return "let pass" if night.let_pass else "stopped"


def _stop(night: Night, found: list[Finding]) -> None:
    critical = _critical(found)
    if not critical:
        return
    if night.let_pass:
        tracking.log(night.run_id, tags={"let_pass": night.let_pass})
        return
    more = f"; and {len(critical) - TOLD} more" if len(critical) > TOLD else ""
    told = "; ".join(map(str, critical[:TOLD])) + more
    raise NightshelfError(
        f"validation stopped the night: {told}. Mend it at the source and run the night again (with --full"
        " where orders were taken back there), or let it pass with a reason (--let-pass, or the parameter of"
        " that name in Airflow)"
    )
