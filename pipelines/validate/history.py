"""What each night's validation found, kept in the lake, and what the last that passed knew of the shop."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pyarrow as pa

from expectations.context import Finding
from expectations.measure import Measure
from expectations.suites import Rule
from pipelines import columns as c
from pipelines.lake import tables
from pipelines.run.night import Night
from pipelines.validate.profile import SAMPLE

Outcome = Literal["passed", "let pass", "stopped"]

SOURCE = "validated_source"  # the tag of a night that says under which name its results are kept

TEXTS = ("run", "outcome", "reason", "suite", "measure", "severity", "told")
RESULTS = pa.schema(
    [("as_of", pa.date32()), ("received_until", pa.timestamp("us", "UTC")), ("day", pa.date32())]
    + [(name, pa.string()) for name in TEXTS]
    + [(name, pa.float64()) for name in ("value", "low", "high")]
    + [("met", pa.bool_())]
)


@dataclass(frozen=True)
class Passed:
    """The last night that passed: how far it saw, and what the shop was like then."""

    as_of: dt.date
    received_until: dt.datetime
    days: pd.DataFrame
    customers: pa.Table


@dataclass(frozen=True)
class Verdict:
    """What a night's validation came to; received_until: when the newest line judged was received."""

    outcome: Outcome
    findings: Sequence[Finding]
    received_until: dt.datetime


def record(
    source: str, night: Night, verdict: Verdict, rules: Sequence[Rule], measures: Sequence[Measure]
) -> None:
    """Keeps what each rule said of each measure of a night; a rerun of the night takes its place."""
    broken = {(one.rule, measure) for one in verdict.findings for measure in one.measures}
    of_night = {
        "as_of": night.as_of,
        "run": night.run_id,
        "outcome": verdict.outcome,
        "reason": night.let_pass if verdict.outcome == "let pass" else None,
        "received_until": verdict.received_until,
    }
    rows = [
        of_night | _result(rule, measure, (rule, measure) not in broken)
        for rule in rules
        for measure in measures
        if measure.name == rule.measure
    ]
    tables.write(_table(source, night.as_of), pa.Table.from_pylist(rows, schema=RESULTS))


def remember(source: str, days: pd.DataFrame, customers: pa.Table) -> None:
    """Keeps what the shop is like for the next night to compare with."""
    tables.write(
        tables.PROFILE.format(source=source), pa.Table.from_pandas(days.reset_index(), preserve_index=False)
    )
    tables.write(tables.CUSTOMERS.format(source=source), customers.slice(0, SAMPLE))


def nights(source: str, until: dt.date) -> Iterable[pa.Table]:
    """The results of the nights up to a day, the latest first."""
    for name in reversed(tables.entries(tables.VALIDATION.format(source=source))):
        day = dt.date.fromisoformat(name.partition("=")[2])
        if day <= until and tables.exists(_table(source, day)):  # a killed night leaves a folder without
            yield tables.read(_table(source, day))


def last_passed(source: str, before: dt.date) -> Passed | None:
    """The last night before a day that wasn't stopped; None where there is none."""
    for results in nights(source, before - dt.timedelta(days=1)):
        first = results.slice(0, 1).to_pylist()[0]
        if first["outcome"] != "stopped":
            days = tables.read(tables.PROFILE.format(source=source)).to_pandas().set_index(c.DAY)
            customers = tables.read(tables.CUSTOMERS.format(source=source))
            return Passed(first["as_of"], first["received_until"], days, customers)
    return None


def _result(rule: Rule, measure: Measure, met: bool) -> dict[str, object]:
    return {
        "suite": rule.suite,
        "measure": rule.measure,
        "severity": rule.severity,
        "day": measure.day,
        "value": measure.value,
        "low": rule.low,
        "high": rule.high,
        "met": met,
        "told": measure.told,
    }


def _table(source: str, day: dt.date) -> str:
    return f"{tables.VALIDATION.format(source=source)}/date={day}"
