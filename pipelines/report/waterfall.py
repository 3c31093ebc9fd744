"""What became of the order lines fetched, down to those that can be learned from."""

from dataclasses import dataclass

from markupsafe import Markup

from pipelines.report import svg
from pipelines.report.figures import Figure, count, listed, many, percent
from pipelines.report.records import Record
from pipelines.validate.row_checks import DROPPED, GOOD, RETURNED, USED
from pipelines.validate.waterfall import DUPLICATE, FETCHED

PREFIX = "rows_"
HEIGHT = 18
WHY = {
    "fetched": "as received",
    DUPLICATE: "repeat others, or were replaced by a newer version",
    RETURNED: "take back a purchase",
    USED: "are good",
    **dict.fromkeys(DROPPED, "left out"),
}


@dataclass(frozen=True)
class Fall:
    """Lines of one fate; kind: all, dropped, set-aside, returned or used."""

    name: str
    kind: str
    why: str
    lines: Figure
    bar: Markup


@dataclass(frozen=True)
class Waterfall:
    """All fates in their order, and the sentence about them."""

    sentence: str
    falls: list[Fall]


def waterfall(record: Record) -> Waterfall:
    """The waterfall of a night; without fates where no line was judged."""
    metrics = {name.removeprefix(PREFIX): name for name in record.metrics if name.startswith(PREFIX)}
    found = {fate: count(record.metrics, name) for fate, name in metrics.items()}
    lines = {fate: one for fate, one in found.items() if one is not None}
    if not lines:
        return Waterfall("No order line was judged: the night did not come that far.", [])
    falls, left = [], (fetched := lines[FETCHED].value)
    for fate in _in_order(lines):
        kind, value = _kind(fate), lines[fate].value
        start, end = (0.0, value) if kind in ("all", "used") else (left - value, left)
        left = left if kind in ("all", "used") else left - value
        falls.append(_fall(fate, kind, lines[fate], start / (fetched or 1), end / (fetched or 1)))
    return Waterfall(_sentence(lines), falls)


def _in_order(lines: dict[str, Figure]) -> list[str]:
    """Fetched, duplicates, what was dropped, what rules set aside (the most first), returned, used."""
    fixed = (FETCHED, DUPLICATE, *DROPPED)
    rules = sorted(lines.keys() - {*fixed, *GOOD}, key=lambda fate: -lines[fate].value)
    told = (*fixed, *rules, *reversed(GOOD))
    return [fate for fate in told if fate in lines and (lines[fate].value or fate in (FETCHED, USED))]


def _kind(fate: str) -> str:
    if fate == FETCHED:
        return "all"
    if fate in GOOD:
        return "used" if fate == USED else "returned"
    return "dropped" if fate in (DUPLICATE, *DROPPED) else "set-aside"


def _fall(fate: str, kind: str, lines: Figure, start: float, end: float) -> Fall:
    name = fate.replace("_", " ")
    label = f"{name}: {lines} lines"
    bar = svg.rect(100 * start, 1, 100 * (end - start), HEIGHT - 2, f"fall {kind}")
    why = WHY.get(fate, "set aside by this row rule")
    return Fall(name, kind, why, lines, svg.drawing(HEIGHT, label, [bar]))


def _sentence(lines: dict[str, Figure]) -> str:
    fetched, used = lines[FETCHED].value, lines.get(USED)
    aside = {fate: one.value for fate, one in lines.items() if _kind(fate) == "set-aside" and one.value}
    told = [f"{lines[DUPLICATE]} repeat others"] if lines[DUPLICATE].value else []
    if aside:
        told.append(f"{sum(aside.values()):,.0f} were set aside by {many(len(aside), 'row rule')}")
    if RETURNED in lines and lines[RETURNED].value:
        told.append(f"{lines[RETURNED]} take back purchases")
    rest = f"; {listed(told)}" if told else ""
    share = percent(used.value if used else 0, fetched)
    return f"Of {lines[FETCHED]} order lines {used or 0} ({share}) are good{rest}."
