"""The section on recent nightly runs: NDCG@10 and verdict of each, day by day."""

from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup
from mlflow.entities import Run

from pipelines import evaluate as evaluation
from pipelines.report import records, svg
from pipelines.report.figures import Figure, fraction, join_words, quantity
from pipelines.report.records import PUBLISHED
from serving.recommend.lanes import LANES

NIGHTS = 30  # the most runs that are shown
HEIGHT, BOTTOM, TOP = 96.0, 74.0, 14.0  # pixels: of a panel, and of its lowest and highest mark
SHAPES = {
    "FIRST": "diamond",
    "PROMOTED": "triangle",
    "REFUSED": "circle",
    "STOPPED": "cross",
    "UNFINISHED": "bar",
}
LABELS = {"FIRST": "first", "PROMOTED": "promoted", "REFUSED": "refused", "STOPPED": "stopped"}


@dataclass(frozen=True)
class Panel:
    """NDCG@10 of a lane over the runs; current: the newest run's, None if it did not evaluate the lane."""

    lane: str
    current: Figure | None
    drawing: Markup


@dataclass(frozen=True)
class Trend:
    """The section on recent runs: a panel per lane with a mark per run, and a sentence about them."""

    sentence: str
    panels: list[Panel]
    legend: list[tuple[str, Markup]]


def trend(nights: list[Run]) -> Trend:
    """The section on recent runs; nights: their MLflow runs, oldest first."""
    verdicts = Counter(map(records.verdict, nights))
    legend = [
        (label, svg.legend_sign(SHAPES[verdict], _kind(verdict)))
        for verdict, label in LABELS.items()
        if verdicts[verdict]
    ]
    return Trend(_sentence(nights, verdicts), [_panel(nights, lane) for lane in LANES], legend)


def latest(runs: list[Run], until: str) -> list[Run]:
    """The last run of each of the NIGHTS latest days up to `until`, oldest first; runs: newest first."""
    by_day: dict[str, Run] = {}
    for run in runs:
        if (day := records.as_of(run)) <= until:
            by_day.setdefault(day, run)
    return [by_day[day] for day in sorted(by_day)][-NIGHTS:]


def _panel(nights: list[Run], lane: str) -> Panel:
    name = evaluation.flat_name(evaluation.NDCG, lane)
    scores = [fraction(run.data.metrics, name, str(run.info.run_id)) for run in nights]
    values = [figure.value for figure in scores if figure] or [0.0]
    across = svg.Scale(0, len(nights) - 1, 3, 97)
    down = svg.Scale(min(values), max(values), BOTTOM, TOP)
    points = [(across(index), down(figure.value)) for index, figure in enumerate(scores) if figure]
    marks = [
        _mark(run, figure, across(index), down)
        for index, (run, figure) in enumerate(zip(nights, scores, strict=True))
    ]
    ends = [records.as_of(nights[0]), records.as_of(nights[-1])]
    runs = quantity(len(points), "nightly run")
    label = f"{lane}: NDCG@10 of {runs}, from {min(values):.3f} to {max(values):.3f}"
    parts = [
        svg.line((0, HEIGHT - 14), (100, HEIGHT - 14), "axis-line"),
        svg.lines(points, "spark"),
        *marks,
        svg.text((0, HEIGHT - 1), ends[0], "tick"),
        svg.text((100, HEIGHT - 1), ends[1] if len(nights) > 1 else "", "tick", "end"),
    ]
    return Panel(lane, scores[-1], svg.drawing(HEIGHT, label, parts))


def _mark(run: Run, figure: Figure | None, x: float, down: svg.Scale) -> Markup:
    """The mark of a run, at the bottom if the run has no score."""
    verdict, day = records.verdict(run), records.as_of(run)
    y = down(figure.value) if figure else BOTTOM
    title = f"{day}: {verdict.lower()}" + (f", NDCG@10 {figure}" if figure else "")
    attributes = figure.attributes if figure else svg.EMPTY
    return svg.mark(SHAPES[verdict], (x, y), _kind(verdict), title, attributes)


def _kind(verdict: str) -> str:
    return {"REFUSED": "hollow", "STOPPED": "broken", "UNFINISHED": "other"}.get(verdict, "own")


def _sentence(nights: list[Run], verdicts: Counter[str]) -> str:
    published = sum(verdicts[verdict] for verdict in PUBLISHED)
    ends = (
        (published, "published a model"),
        (verdicts["REFUSED"], "had its model refused" if verdicts["REFUSED"] == 1 else "had theirs refused"),
        (verdicts["STOPPED"], "stopped"),
    )
    parts = [f"{number} {end}" for number, end in ends if number]
    runs = f"The last {quantity(len(nights), 'nightly run')}: {join_words(parts) or 'none has finished'}"
    name = evaluation.flat_name(evaluation.NDCG, "for-you")
    values = [run.data.metrics[name] for run in nights if name in run.data.metrics]
    if len(values) < 2:
        return f"{runs}."
    return f"{runs}; NDCG@10 in for-you went from {values[0]:.3f} to {values[-1]:.3f}."
