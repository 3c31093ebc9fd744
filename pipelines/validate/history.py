"""Keeps each nightly run's validation results, and the profile that the last passed run saw, in the lake."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pyarrow as pa

from expectations.findings import Finding
from expectations.measure import Measure
from expectations.suites import Expectation
from pipelines import columns as c
from pipelines.lake import tables
from pipelines.run.night import Night
from pipelines.validate.profile import LAST_DAY, SAMPLE

Outcome = Literal["passed", "let pass", "stopped"]

SOURCE = "validated_source"  # the MLflow tag that names the source whose orders the run validated

TEXT_COLUMNS = ("run", "outcome", "reason", "suite", "measure", "severity", "told")
RESULTS = pa.schema(
    [("as_of", pa.date32()), ("received_until", pa.timestamp("us", "UTC")), ("day", pa.date32())]
    + [(name, pa.string()) for name in TEXT_COLUMNS]
    + [(name, pa.float64()) for name in ("value", "low", "high")]
    + [("met", pa.bool_())]
)


@dataclass(frozen=True)
class PassedRun:
    """The last run that passed: the data it had received, and the profile and customers that it saved."""

    as_of: dt.date
    received_until: dt.datetime
    days: pd.DataFrame
    customers: pa.Table


@dataclass(frozen=True)
class Verdict:
    """The outcome of a run's validation; received_until: when its newest line was received."""

    outcome: Outcome
    findings: Sequence[Finding]
    received_until: dt.datetime


def record(
    source: str,
    night: Night,
    verdict: Verdict,
    expectations: Sequence[Expectation],
    measures: Sequence[Measure],
) -> None:
    """Writes the result of each expectation on each of its measures; a repeated run replaces them."""
    failed = {(finding.expectation, measure) for finding in verdict.findings for measure in finding.measures}
    run_columns = {
        "as_of": night.as_of,
        "run": night.run_id,
        "outcome": verdict.outcome,
        "reason": night.let_pass if verdict.outcome == "let pass" else None,
        "received_until": verdict.received_until,
    }
    rows = [
        run_columns | _result(expectation, measure, (expectation, measure) not in failed)
        for expectation in expectations
        for measure in measures
        if measure.name == expectation.measure
    ]
    tables.write(_table(source, night.as_of), pa.Table.from_pylist(rows, schema=RESULTS))


def save_profile(source: str, days: pd.DataFrame, customers: pa.Table) -> None:
    """Saves the profile of days and a sample of the customers for the next run to compare with."""
    tables.write(
        tables.PROFILE.format(source=source), pa.Table.from_pandas(days.reset_index(), preserve_index=False)
    )
    tables.write(tables.CUSTOMERS.format(source=source), customers.slice(0, SAMPLE))


def results(source: str, until: dt.date) -> Iterable[pa.Table]:
    """Yields the results of each run up to a day, newest first, with the columns of RESULTS."""
    for name in reversed(tables.entries(tables.VALIDATION.format(source=source))):
        day = dt.date.fromisoformat(name.partition("=")[2])
        if day <= until and tables.exists(_table(source, day)):  # a killed run leaves an empty folder
            yield tables.read(_table(source, day))


def last_checked(source: str, before: dt.date) -> dt.date | None:
    """Returns the day of the last run before this day, whether it passed or not; None without such a run.

    A run checks all days since the last run that passed, so that all days up to its own are checked.
    """
    newest = next(iter(results(source, before - dt.timedelta(days=1))), None)
    return None if newest is None else newest["as_of"][0].as_py()


def last_passed(source: str, before: dt.date) -> PassedRun | None:
    """Returns the last run before this day that passed or was let pass, or None without such a run."""
    for table in results(source, before - dt.timedelta(days=1)):
        row = table.slice(0, 1).to_pylist()[0]
        if row["outcome"] != "stopped":
            days = tables.read(tables.PROFILE.format(source=source)).to_pandas().set_index(c.DAY)
            return PassedRun(row["as_of"], row["received_until"], days, _customers(source))
    return None


def _customers(source: str) -> pa.Table:
    """Returns the sample of customers that the last run saved; empty after a change of the identity rule."""
    table = tables.CUSTOMERS.format(source=source)
    if tables.exists(table):
        return tables.read(table)
    return pa.table({c.CUSTOMER: pa.array([], pa.string()), LAST_DAY: pa.array([], pa.date32())})


def _result(expectation: Expectation, measure: Measure, met: bool) -> dict[str, object]:
    return {
        "suite": expectation.suite,
        "measure": expectation.measure,
        "severity": expectation.severity,
        "day": measure.day,
        "value": measure.value,
        "low": expectation.low,
        "high": expectation.high,
        "met": met,
        "told": measure.message,
    }


def _table(source: str, day: dt.date) -> str:
    return f"{tables.VALIDATION.format(source=source)}/date={day}"
