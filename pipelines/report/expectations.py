"""The section on expectations: which of them the run's data met, and their values in earlier runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
from markupsafe import Markup

from pipelines.report import svg
from pipelines.report.figures import join_words, quantity
from pipelines.report.records import Record
from pipelines.validate import history

NIGHTS = 30  # the most runs that a chart shows
HEIGHT = 30.0
SEVERITIES = ("critical", "warning")

Key = tuple[str, str]  # suite and measure
Row = Mapping[str, Any]  # of `history.RESULTS`


@dataclass(frozen=True)
class Expectation:
    """A measure with its bounds.

    description: the measure's value in words; allowed: value and bounds; sparkline: its values in the
    recent runs.
    """

    measure: str
    suite: str
    met: bool
    description: str
    allowed: str
    sparkline: Markup


@dataclass(frozen=True)
class Severity:
    """The expectations of one severity, met and not met."""

    name: str
    broken: list[Expectation]
    met: list[Expectation]


@dataclass(frozen=True)
class Expectations:
    """The section on expectations: both severities, and a sentence about them."""

    sentence: str
    severities: list[Severity]


def expectations(record: Record) -> Expectations:
    """The section on expectations of a nightly run, from the validation results in the lake."""
    source = record.tags.get(history.SOURCE, "")
    results = list(islice(history.results(source, record.night.as_of), NIGHTS)) if source else []
    if not results or results[0]["run"][0].as_py() != record.night.run_id:
        return Expectations(
            "No expectations were checked: the nightly run did not complete step validate.", []
        )
    nights = [_by_severity(table) for table in reversed(results)]
    severities = [_severity(name, [night[name] for night in nights]) for name in SEVERITIES]
    return Expectations(_sentence(severities, len(nights), results[0]), severities)


def _by_severity(results: pa.Table) -> dict[str, dict[Key, Row]]:
    """By severity, suite and measure: the row of the last day that was not met, otherwise of the last day."""
    chosen: dict[str, dict[Key, Row]] = {name: {} for name in SEVERITIES}
    rows: Iterable[Row] = results.to_pylist()
    for row in sorted(rows, key=lambda row: (not row["met"], row["day"])):
        key = row["suite"], row["measure"]
        if row["met"] and not chosen[row["severity"]].get(key, row)["met"]:
            continue
        chosen[row["severity"]][key] = row
    return chosen


def _severity(name: str, nights: list[dict[Key, Row]]) -> Severity:
    rows = [_expectation(key, [night.get(key) for night in nights]) for key in nights[-1]]
    return Severity(name, [row for row in rows if not row.met], [row for row in rows if row.met])


def _expectation(key: Key, rows: list[Row | None]) -> Expectation:
    current = rows[-1] or {}
    return Expectation(
        key[1].replace("_", " "),
        key[0],
        current["met"],
        current["told"],
        f"{current['value']:.4g} ({_bounds(current['low'], current['high'])})",
        _sparkline(key[1], rows),
    )


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:.4g} to {high:.4g}"
    return f"at most {high:.4g}" if low is None else f"at least {low:.4g}"


def _sparkline(measure: str, rows: list[Row | None]) -> Markup:
    """A line through the values of the runs, with a cross where not met; the bounds are dashed lines."""
    measured = [(index, row) for index, row in enumerate(rows) if row]
    current, values = measured[-1][1], [row["value"] for _, row in measured]
    low, high = min(values), max(values)
    across = svg.Scale(0, max(len(rows) - 1, 1), 4, 96) if len(rows) > 1 else svg.Scale(0, 0)
    down = svg.Scale(low, high, HEIGHT - 7, 7)
    points = [(across(index), down(row["value"])) for index, row in measured]
    crosses = [
        svg.mark("cross", point, "broken", _title(row))
        for point, (_, row) in zip(points, measured, strict=True)
        if not row["met"]
    ]
    bounds = [
        svg.line((0, down(bound)), (100, down(bound)), "bound")
        for bound in (current["low"], current["high"])
        if bound is not None and low < bound < high
    ]
    last = svg.mark("circle" if current["met"] else "cross", points[-1], "current", _title(current))
    runs = quantity(len(measured), "nightly run")
    label = f"{measure.replace('_', ' ')} over {runs}, from {low:.4g} to {high:.4g}"
    return svg.drawing(HEIGHT, label, [*bounds, svg.lines(points, "spark"), *crosses, last])


def _title(row: Row) -> str:
    return f"{row['as_of']}: {row['told']}"


def _sentence(severities: list[Severity], nights: int, current: pa.Table) -> str:
    met = join_words(
        [f"{len(part.met)} of {len(part.met) + len(part.broken)} {part.name}" for part in severities]
    )
    outcome, reason = (current[name][0].as_py() for name in ("outcome", "reason"))
    outcomes = {
        "passed": "validation passed",
        "stopped": "validation stopped the run",
        "let pass": f"validation would have stopped the run, but a person let it pass ({reason})",
    }
    charts = f"The charts show {quantity(nights, 'nightly run')}."
    return f"{met} expectations are met: {outcomes[outcome]}. {charts}"
