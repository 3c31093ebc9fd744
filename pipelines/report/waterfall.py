"""The order lines of a nightly run: how many were received, left out, quarantined and used."""

from dataclasses import dataclass

from markupsafe import Markup

from pipelines.report import svg
from pipelines.report.figures import Figure, count, join_words, percent, quantity
from pipelines.report.records import Record
from pipelines.validate.row_checks import (
    ACCEPTED_AS_LOST,
    DROPPED,
    FREE,
    GOOD,
    LEFT_OUT,
    RETURNED,
    USED,
    is_dropped,
)
from pipelines.validate.waterfall import DUPLICATE, FETCHED

PREFIX = "rows_"
HEIGHT = 18
EXPLANATIONS = {
    FETCHED: "as received",
    DUPLICATE: "repeated, or replaced by a newer version",
    RETURNED: "returns of earlier purchases",
    USED: "used for training",
    **dict.fromkeys(DROPPED, "left out"),
    FREE: "left out: the price is 0",
    ACCEPTED_AS_LOST: "released from quarantine, but unusable",
}
BY_RULE = "left out by a rule of the mapping"


@dataclass(frozen=True)
class WaterfallRow:
    """The lines with one outcome; kind: all, dropped, quarantined, returned or used."""

    name: str
    kind: str
    explanation: str
    lines: Figure
    bar: Markup


@dataclass(frozen=True)
class Waterfall:
    """The section on order lines: a row per outcome in order, and a sentence about them."""

    sentence: str
    rows: list[WaterfallRow]


def waterfall(record: Record) -> Waterfall:
    """The section on order lines of a nightly run; without rows if validation counted no lines."""
    metrics = {name.removeprefix(PREFIX): name for name in record.metrics if name.startswith(PREFIX)}
    counts = {outcome: count(record.metrics, name) for outcome, name in metrics.items()}
    lines = {outcome: figure for outcome, figure in counts.items() if figure is not None}
    if not lines:
        return Waterfall("No order lines were checked: the nightly run did not complete step validate.", [])
    rows, remaining = [], (fetched := lines[FETCHED].value)
    for outcome in _in_order(lines):
        kind, value = _kind(outcome), lines[outcome].value
        start, end = (0.0, value) if kind in ("all", "used") else (remaining - value, remaining)
        remaining = remaining if kind in ("all", "used") else remaining - value
        rows.append(_row(outcome, kind, lines[outcome], start / (fetched or 1), end / (fetched or 1)))
    return Waterfall(_sentence(lines), rows)


def _in_order(lines: dict[str, Figure]) -> list[str]:
    """Fetched, duplicates, left out, dropped, quarantined by row checks, returned, used.

    Those left out and those quarantined come with the largest number of lines first.
    """
    largest_first = sorted(lines, key=lambda outcome: (-lines[outcome].value, outcome))
    left_out = [outcome for outcome in largest_first if outcome.startswith(LEFT_OUT)]
    checks = [outcome for outcome in largest_first if _kind(outcome) == "quarantined"]
    outcomes = (FETCHED, DUPLICATE, *left_out, *DROPPED, *checks, *reversed(GOOD))
    return [
        outcome
        for outcome in outcomes
        if outcome in lines and (lines[outcome].value or outcome in (FETCHED, USED))
    ]


def _kind(outcome: str) -> str:
    if outcome == FETCHED:
        return "all"
    if outcome in GOOD:
        return "used" if outcome == USED else "returned"
    return "dropped" if outcome == DUPLICATE or is_dropped(outcome) else "quarantined"


def _row(outcome: str, kind: str, lines: Figure, start: float, end: float) -> WaterfallRow:
    name = outcome.replace("_", " ")
    label = f"{name}: {lines} lines"
    bar = svg.rect(100 * start, 1, 100 * (end - start), HEIGHT - 2, f"fall {kind}")
    other = BY_RULE if outcome.startswith(LEFT_OUT) else "quarantined by this row check"
    explanation = EXPLANATIONS.get(outcome, other)
    return WaterfallRow(name, kind, explanation, lines, svg.drawing(HEIGHT, label, [bar]))


def _sentence(lines: dict[str, Figure]) -> str:
    fetched, used = lines[FETCHED].value, lines.get(USED)
    quarantined = {
        outcome: figure.value
        for outcome, figure in lines.items()
        if _kind(outcome) == "quarantined" and figure.value
    }
    parts = [f"{lines[DUPLICATE]} are duplicates"] if lines[DUPLICATE].value else []
    if by_rule := sum(figure.value for outcome, figure in lines.items() if outcome.startswith(LEFT_OUT)):
        parts.append(f"the mapping leaves out {by_rule:,.0f}")
    if quarantined:
        parts.append(
            f"{quantity(len(quarantined), 'row check')} quarantined {sum(quarantined.values()):,.0f}"
        )
    if RETURNED in lines and lines[RETURNED].value:
        parts.append(f"{lines[RETURNED]} are returns")
    rest = f"; {join_words(parts)}" if parts else ""
    share = percent(used.value if used else 0, fetched)
    return f"Of {lines[FETCHED]} order lines, {used or 0} ({share}) are used for training{rest}."
