"""The section on the sweep: its candidates as parallel coordinates, and a warning if the edge is chosen."""

import json
from dataclasses import dataclass

from markupsafe import Markup
from mlflow.entities import Run

from pipelines import evaluate as evaluation
from pipelines.report import svg
from pipelines.report.figures import Figure, elapsed, fraction, join_words, quantity
from pipelines.report.records import Json, Record
from pipelines.run.tracking import CANDIDATE, CANDIDATE_SECONDS, KEPT, SETTINGS
from pipelines.train.als import AlsSettings
from pipelines.train.recipe import Candidate
from serving.recommend.lanes import LANES

NDCG = evaluation.flat_name(evaluation.NDCG, "for-you")
AXIS_GAP, TOP = 58.0, 26.0  # pixels between axes, and above the first
FIRST, LAST = 1.0, 99.0
# The components drawn as lines. A ranker runs on ALS settings that the sweep also tries alone.
DRAWN = ("als", "ranker")


@dataclass(frozen=True)
class CandidateRow:
    """A candidate: its settings in words, NDCG@10 by lane, and seconds; chosen: by this run."""

    name: str
    settings: str
    scores: list[Figure | None]
    duration: Figure | None
    chosen: bool


@dataclass(frozen=True)
class Sweep:
    """The section on the sweep; candidates: best first; warning: empty unless the choice lies at an edge."""

    sentence: str
    warning: str
    drawing: Markup
    candidates: list[CandidateRow]


def sweep(record: Record) -> Sweep:
    """The section on the sweep of a nightly run, with the candidates that finished."""
    runs = sorted(record.candidates, key=lambda run: -run.data.metrics.get(NDCG, 0.0))
    if not runs:
        return Sweep(
            "No candidate was tried: the nightly run did not complete step sweep.", "", Markup(""), []
        )
    chosen: Json = json.loads(record.tags.get("chosen", "{}"))
    rows = [_row(run, chosen) for run in runs]
    drawn = [run for run in runs if run.data.params.get("component") in DRAWN]
    return Sweep(_sentence(record, runs), _warning(record), _coordinates(drawn, chosen), rows)


def _row(run: Run, chosen: Json) -> CandidateRow:
    metrics, candidate = run.data.metrics, Candidate.model_validate_json(run.data.tags[CANDIDATE])
    settings = {
        name: value
        for name, value in run.data.params.items()
        if name not in ("component", "iterations") and not name.startswith("ranker_")
    }
    words = ", ".join(f"{_label(name)} {_plain(value)}" for name, value in settings.items())
    run_id = str(run.info.run_id)
    scores = [fraction(metrics, evaluation.flat_name(evaluation.NDCG, lane), run_id) for lane in LANES]
    seconds = elapsed(metrics, CANDIDATE_SECONDS, run_id)
    return CandidateRow(candidate.name, words, scores, seconds, _is_chosen(candidate, chosen))


def _is_chosen(candidate: Candidate, chosen: Json) -> bool:
    """Whether a candidate has the chosen settings; chosen: the run's tag of that name, parsed."""
    if candidate.als is None or candidate.als.model_dump() != chosen.get("als"):
        return False
    return candidate.ranker is None or candidate.ranker.model_dump() == chosen.get("ranker")


def _plain(value: str) -> str:
    """A parameter as MLflow stores it, numbers without trailing zeros."""
    return f"{float(value):g}" if value.replace(".", "", 1).isdigit() else value


def _coordinates(runs: list[Run], chosen: Json) -> Markup:
    """A line per candidate through its ALS settings, one axis below the other, down to its NDCG@10."""
    names = _varied(runs)
    if len(runs) < 2 or not names:
        return Markup("")
    axes = {name: sorted({float(run.data.params[name]) for run in runs}) for name in names}
    scores = [run.data.metrics.get(NDCG, 0.0) for run in runs]
    scale = svg.Scale(min(scores), max(scores), FIRST, LAST)
    bottom, parts = TOP + len(axes) * AXIS_GAP, []
    for run in reversed(runs):  # the best is drawn last, on top
        points = [
            (_tick(values, float(run.data.params[name])), TOP + row * AXIS_GAP)
            for row, (name, values) in enumerate(axes.items())
        ]
        parts.append(_path(run, [*points, (scale(run.data.metrics.get(NDCG, 0.0)), bottom)], chosen))
    parts += [_axis(name, TOP + row * AXIS_GAP, values) for row, (name, values) in enumerate(axes.items())]
    parts.append(_score_axis(bottom, min(scores), max(scores)))
    label = f"{len(runs)} candidates by {join_words([_label(name) for name in names])}"
    return svg.drawing(bottom + 24, f"{label}; the best has NDCG@10 {max(scores):.4f}", parts)


def _varied(runs: list[Run]) -> list[str]:
    """The ALS settings that differ between candidates."""
    return [name for name in AlsSettings.model_fields if len({run.data.params.get(name) for run in runs}) > 1]


def _path(run: Run, points: list[svg.Point], chosen: Json) -> Markup:
    is_chosen = _is_chosen(Candidate.model_validate_json(run.data.tags[CANDIDATE]), chosen)
    kind, shape = ("chosen", "diamond") if is_chosen else ("candidate", "dot")
    figure, component = fraction(run.data.metrics, NDCG, str(run.info.run_id)), run.data.params["component"]
    title = f"{run.info.run_name}: NDCG@10 {figure}"
    marks = [svg.mark(shape, point, kind) for point in points[:-1]]
    marks.append(svg.mark(shape, points[-1], kind, title, figure.attributes if figure else svg.EMPTY))
    return svg.lines(points, f"path {kind} {component}") + Markup("").join(marks)


def _tick(values: list[float], value: float) -> float:
    """The x of a value on an axis with evenly spaced values."""
    return svg.Scale(0, len(values) - 1, FIRST + 6, LAST - 6)(values.index(value))


def _axis(name: str, y: float, values: list[float]) -> Markup:
    ticks = [svg.text((_tick(values, value), y + 16), f"{value:g}", "tick", "middle") for value in values]
    return Markup("").join([_line(y), svg.text((0, y - 10), _label(name), "axis"), *ticks])


def _score_axis(y: float, low: float, high: float) -> Markup:
    ends = svg.text((0, y + 16), f"{low:.3f}", "tick") + svg.text((100, y + 16), f"{high:.3f}", "tick", "end")
    return _line(y) + svg.text((0, y - 10), "NDCG@10, for-you", "axis strong") + ends


def _line(y: float) -> Markup:
    return svg.line((0, y), (100, y), "axis-line")


def _label(name: str) -> str:
    return name.replace("_", " ")


def _sentence(record: Record, runs: list[Run]) -> str:
    best, als = runs[0], sum(run.data.params.get("component") == "als" for run in runs)
    candidates = f"Of {quantity(len(runs), 'candidate')}, {als} of them ALS alone"
    figure = fraction(best.data.metrics, NDCG, str(best.info.run_id))
    result = (
        f"{candidates}, {best.info.run_name} is best in for-you on the validation window: NDCG@10 {figure}"
    )
    if "chosen" not in record.tags:
        return f"{result}. The nightly run stopped before evaluate chose settings."
    if record.tags.get(SETTINGS) == KEPT:
        return f"{result}. The champion's settings were kept."
    return f"{result}."


def _warning(record: Record) -> str:
    edges = record.tags.get("edge_of_grid", "none")
    if edges == "none":
        return ""
    names = [_label(name) for name in edges.split(", ")]
    verb = "lies" if len(names) == 1 else "lie"
    return (
        f"Edge of the grid: the chosen {join_words(names)} {verb} at the edge of the search space,"
        " so a better value may lie beyond it."
    )
