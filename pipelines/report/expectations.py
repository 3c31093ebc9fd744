"""What was expected of the night's data, by severity, beside the nights before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
from markupsafe import Markup

from pipelines.report import svg
from pipelines.report.figures import many
from pipelines.report.records import Record
from pipelines.validate import history

NIGHTS = 30
HEIGHT = 30.0
SEVERITIES = ("critical", "warning")

Key = tuple[str, str]  # suite and measure
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Expectation:
    """A measure that was held against bounds: what it said tonight, and its way through the nights."""

    measure: str
    suite: str
    met: bool
    told: str
    allowed: str
    sparkline: Markup


@dataclass(frozen=True)
class Severity:
    """All expectations of a severity, those that weren't met apart."""

    name: str
    broken: list[Expectation]
    held: list[Expectation]


@dataclass(frozen=True)
class Expectations:
    """Both severities, and the sentence about them."""

    sentence: str
    severities: list[Severity]


def expectations(record: Record) -> Expectations:
    """The expectations of a night, from what validation kept of it and of the nights before."""
    source = record.tags.get(history.SOURCE, "")
    found = list(islice(history.nights(source, record.night.as_of), NIGHTS)) if source else []
    if not found or found[0]["run"][0].as_py() != record.night.run_id:
        return Expectations("Nothing was held against its bounds: the night did not come that far.", [])
    nights = [_by_severity(one) for one in reversed(found)]
    severities = [_severity(name, [night[name] for night in nights]) for name in SEVERITIES]
    return Expectations(_sentence(severities, len(nights), found[0]), severities)


def _by_severity(results: pa.Table) -> dict[str, dict[Key, Row]]:
    """Of each severity and measure the row that tells the most: one that wasn't met, else the last day's."""
    told: dict[str, dict[Key, Row]] = {name: {} for name in SEVERITIES}
    rows: Iterable[Row] = results.to_pylist()
    for row in sorted(rows, key=lambda one: (not one["met"], one["day"])):
        key = row["suite"], row["measure"]
        if row["met"] and not told[row["severity"]].get(key, row)["met"]:
            continue
        told[row["severity"]][key] = row
    return told


def _severity(name: str, nights: list[dict[Key, Row]]) -> Severity:
    found = [_expectation(key, [night.get(key) for night in nights]) for key in nights[-1]]
    return Severity(name, [one for one in found if not one.met], [one for one in found if one.met])


def _expectation(key: Key, rows: list[Row | None]) -> Expectation:
    tonight = rows[-1] or {}
    return Expectation(
        key[1].replace("_", " "),
        key[0],
        tonight["met"],
        tonight["told"],
        f"{tonight['value']:.4g} ({_allowed(tonight['low'], tonight['high'])})",
        _sparkline(key[1], rows),
    )


def _allowed(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:.4g} to {high:.4g}"
    return f"at most {high:.4g}" if low is None else f"at least {low:.4g}"


def _sparkline(measure: str, rows: list[Row | None]) -> Markup:
    """The values of the nights, those that weren't met crossed; tonight's is the last. Bounds are dashed."""
    there = [(place, row) for place, row in enumerate(rows) if row]
    values = [row["value"] for _, row in there]
    low, high = min(values), max(values)
    across = svg.Scale(0, max(len(rows) - 1, 1), 4, 96) if len(rows) > 1 else svg.Scale(0, 0)
    down = svg.Scale(low, high, HEIGHT - 7, 7)
    points = [(across(place), down(row["value"])) for place, row in there]
    crosses = [
        svg.mark("cross", at, "broken", _said(row))
        for at, (_, row) in zip(points, there, strict=True)
        if not row["met"]
    ]
    bounds = [
        svg.line((0, down(limit)), (100, down(limit)), "bound")
        for limit in (there[-1][1]["low"], there[-1][1]["high"])
        if limit is not None and low < limit < high
    ]
    last = svg.mark("circle" if there[-1][1]["met"] else "cross", points[-1], "tonight", _said(there[-1][1]))
    label = f"{measure.replace('_', ' ')} over {many(len(there), 'night')}, from {low:.4g} to {high:.4g}"
    return svg.drawing(HEIGHT, label, [*bounds, svg.lines(points, "spark"), *crosses, last])


def _held(severity: Severity) -> str:
    held, all_ = len(severity.held), len(severity.held) + len(severity.broken)
    return (
        f"{held} of {all_} {severity.name} expectations held"
        if held < all_
        else (f"all {all_} {severity.name} expectations held")
    )


def _said(row: Row) -> str:
    return f"{row['as_of']}: {row['told']}"


def _sentence(severities: list[Severity], nights: int, tonight: pa.Table) -> str:
    told = [_held(one) for one in severities]
    outcome, why = (tonight[name][0].as_py() for name in ("outcome", "reason"))
    passed = {
        "passed": "the night passed",
        "stopped": "the night was stopped for it",
        "let pass": f"a person let the night pass ({why})",
    }
    said = " and ".join(told)
    return f"{said[0].upper()}{said[1:]}, and {passed[outcome]}; the lines show {many(nights, 'night')}."
