"""The last nights beside one another: what was measured, and which of them were promoted."""

from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup
from mlflow.entities import Run

from pipelines import evaluate as evaluation
from pipelines.report import records, svg
from pipelines.report.figures import Figure, listed, many, share
from pipelines.report.records import SERVES
from serving.recommend.recommender import LANES

NIGHTS = 30
HEIGHT, LEAST, MOST = 96.0, 74.0, 14.0
SHAPES = {
    "FIRST": "diamond",
    "PROMOTED": "triangle",
    "REFUSED": "circle",
    "STOPPED": "cross",
    "UNFINISHED": "bar",
}
WORDS = {"FIRST": "first", "PROMOTED": "promoted", "REFUSED": "refused", "STOPPED": "stopped"}


@dataclass(frozen=True)
class Panel:
    """A lane's NDCG@10 through the nights; last: tonight's."""

    lane: str
    last: Figure | None
    drawing: Markup


@dataclass(frozen=True)
class Trend:
    """A panel per lane with a mark per night, and the sentence about them."""

    sentence: str
    panels: list[Panel]
    legend: list[tuple[str, Markup]]


def trend(nights: list[Run]) -> Trend:
    """The trend of nights, the oldest first."""
    verdicts = Counter(map(records.verdict, nights))
    legend = [(WORDS[one], _sign(one)) for one in WORDS if verdicts[one]]
    return Trend(_sentence(nights, verdicts), [_panel(nights, lane) for lane in LANES], legend)


def latest(runs: list[Run], until: str) -> list[Run]:
    """The last run of each day up to one, the last NIGHTS of them, the oldest first; runs: newest first."""
    by_day: dict[str, Run] = {}
    for run in runs:
        if (day := records.as_of(run)) <= until:
            by_day.setdefault(day, run)
    return [by_day[day] for day in sorted(by_day)][-NIGHTS:]


def _panel(nights: list[Run], lane: str) -> Panel:
    name = evaluation.flat_name(evaluation.NDCG, lane)
    found = [share(run.data.metrics, name, str(run.info.run_id)) for run in nights]
    values = [one.value for one in found if one] or [0.0]
    across = svg.Scale(0, len(nights) - 1, 3, 97)
    down = svg.Scale(min(values), max(values), LEAST, MOST)
    points = [(across(place), down(one.value)) for place, one in enumerate(found) if one]
    marks = [
        _mark(run, one, across(place), down)
        for place, (run, one) in enumerate(zip(nights, found, strict=True))
    ]
    ends = [records.as_of(nights[0]), records.as_of(nights[-1])]
    label = f"{lane}: NDCG@10 of {many(len(points), 'night')}, from {min(values):.3f} to {max(values):.3f}"
    parts = [
        svg.line((0, HEIGHT - 14), (100, HEIGHT - 14), "axis-line"),
        svg.lines(points, "spark"),
        *marks,
        svg.text((0, HEIGHT - 1), ends[0], "tick"),
        svg.text((100, HEIGHT - 1), ends[1] if len(nights) > 1 else "", "tick", "end"),
    ]
    return Panel(lane, found[-1], svg.drawing(HEIGHT, label, parts))


def _mark(run: Run, figure: Figure | None, x: float, down: svg.Scale) -> Markup:
    """A night's mark; one without a measure stands at the foot."""
    verdict, day = records.verdict(run), records.as_of(run)
    y = down(figure.value) if figure else LEAST
    title = f"{day}: {verdict.lower()}" + (f", NDCG@10 {figure}" if figure else "")
    return svg.mark(SHAPES[verdict], (x, y), _kind(verdict), title, figure.data if figure else Markup(""))


def _kind(verdict: str) -> str:
    return {"REFUSED": "hollow", "STOPPED": "broken", "UNFINISHED": "other"}.get(verdict, "own")


def _sign(verdict: str) -> Markup:
    return Markup('<svg width="16" height="16" aria-hidden="true">{}</svg>').format(
        svg.mark(SHAPES[verdict], (50, 8), _kind(verdict))
    )


def _sentence(nights: list[Run], verdicts: Counter[str]) -> str:
    promoted = sum(verdicts[one] for one in SERVES)
    ends = (
        (promoted, "put a model live"),
        (verdicts["REFUSED"], "had it refused"),
        (verdicts["STOPPED"], "stopped"),
    )
    words = [f"{count} {what}" for count, what in ends if count]
    told = f"Of the last {many(len(nights), 'night')} {listed(words) or 'none has ended'}"
    name = evaluation.flat_name(evaluation.NDCG, "for-you")
    found = [run.data.metrics[name] for run in nights if name in run.data.metrics]
    if len(found) < 2:
        return f"{told}."
    return f"{told}; NDCG@10 in for-you went from {found[0]:.3f} to {found[-1]:.3f}."
