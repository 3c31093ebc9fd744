"""What the sweep tried, as parallel coordinates, and whether the choice lies at the edge of it."""

import json
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from mlflow.entities import Run

from pipelines import evaluate as evaluation
from pipelines.report import svg
from pipelines.report.figures import Figure, listed, many, share, took
from pipelines.report.records import Json, Record
from pipelines.run.tracking import CANDIDATE, CANDIDATE_SECONDS
from pipelines.steps.evaluate import KEPT, SETTINGS
from pipelines.train.als import AlsSettings
from pipelines.train.recipe import Candidate
from serving.recommend.recommender import LANES

MAIN = evaluation.flat_name(evaluation.NDCG, "for-you")
SPACE, TOP = 58.0, 26.0  # pixels from axis to axis, and above the first
FIRST, LAST = 1.0, 99.0
DRAWN = ("als", "ranker")  # a ranker is tried over ALS settings that are tried by themselves, too


@dataclass(frozen=True)
class Tried:
    """A candidate: its settings in words, its measures by lane, what it took; chosen or not."""

    name: str
    settings: str
    measures: list[Figure | None]
    seconds: Figure | None
    chosen: bool


@dataclass(frozen=True)
class Sweep:
    """The candidates, the best first; warning: where the choice lies at the edge of what was tried."""

    sentence: str
    warning: str
    drawing: Markup
    candidates: list[Tried]


def sweep(record: Record) -> Sweep:
    """The sweep of a night, as far as it came."""
    runs = sorted(record.candidates, key=lambda run: -run.data.metrics.get(MAIN, 0.0))
    if not runs:
        return Sweep("Nothing was tried: the night did not come that far.", "", Markup(""), [])
    chosen: Json = json.loads(record.tags.get("chosen", "{}"))
    found = [_tried(run, chosen) for run in runs]
    factors = [run for run in runs if run.data.params.get("component") in DRAWN]
    return Sweep(_sentence(record, runs), _warning(record), _coordinates(factors, chosen), found)


def _tried(run: Run, chosen: Json) -> Tried:
    metrics, candidate = run.data.metrics, Candidate.model_validate_json(run.data.tags[CANDIDATE])
    settings = {
        name: value
        for name, value in run.data.params.items()
        if name not in ("component", "iterations") and not name.startswith("ranker_")
    }
    told = ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in settings.items())
    run_id = str(run.info.run_id)
    measures = [share(metrics, evaluation.flat_name(evaluation.NDCG, lane), run_id) for lane in LANES]
    seconds = took(metrics, CANDIDATE_SECONDS, run_id)
    return Tried(candidate.name, told, measures, seconds, _is(candidate, chosen))


def _is(candidate: Candidate, chosen: Json) -> bool:
    """Whether a candidate is of the chosen settings."""
    if candidate.als is None or candidate.als.model_dump() != chosen.get("als"):
        return False
    return candidate.ranker is None or candidate.ranker.model_dump() == chosen.get("ranker")


def _plain(value: Any) -> str:
    return f"{float(value):g}" if str(value).replace(".", "", 1).isdigit() else str(value)


def _coordinates(runs: list[Run], chosen: Json) -> Markup:
    """A line per candidate through its ALS settings, axis below axis, down to its NDCG@10 in for-you."""
    names = _varied(runs)
    if len(runs) < 2 or not names:
        return Markup("")
    axes = {name: sorted({float(run.data.params[name]) for run in runs}) for name in names}
    scores = [run.data.metrics.get(MAIN, 0.0) for run in runs]
    scale = svg.Scale(min(scores), max(scores), FIRST, LAST)
    bottom, parts = TOP + len(axes) * SPACE, []
    for run in reversed(runs):  # the best is drawn last, above the others
        points = [
            (_place(values, float(run.data.params[name])), TOP + row * SPACE)
            for row, (name, values) in enumerate(axes.items())
        ]
        parts.append(_path(run, [*points, (scale(run.data.metrics.get(MAIN, 0.0)), bottom)], chosen))
    parts += [_axis(name, TOP + row * SPACE, values) for row, (name, values) in enumerate(axes.items())]
    parts.append(_result_axis(bottom, min(scores), max(scores)))
    told = f"{len(runs)} candidates by {listed([_said(name) for name in names])}"
    return svg.drawing(bottom + 24, f"{told}; the best has NDCG@10 {max(scores):.4f}", parts)


def _varied(runs: list[Run]) -> list[str]:
    """The settings that differ between candidates."""
    return [name for name in AlsSettings.model_fields if len({run.data.params.get(name) for run in runs}) > 1]


def _path(run: Run, points: list[svg.Point], chosen: Json) -> Markup:
    is_chosen = _is(Candidate.model_validate_json(run.data.tags[CANDIDATE]), chosen)
    kind = "chosen" if is_chosen else "candidate"
    score, component = share(run.data.metrics, MAIN, str(run.info.run_id)), run.data.params["component"]
    shape = "diamond" if is_chosen else "dot"
    title = f"{run.info.run_name}: NDCG@10 {score}"
    ends = [svg.mark(shape, at, kind) for at in points[:-1]]
    ends.append(svg.mark(shape, points[-1], kind, title, score.data if score else Markup("")))
    return svg.lines(points, f"path {kind} {component}") + Markup("").join(ends)


def _place(values: list[float], value: float) -> float:
    return svg.Scale(0, len(values) - 1, FIRST + 6, LAST - 6)(values.index(value))


def _axis(name: str, y: float, values: list[float]) -> Markup:
    ticks = [svg.text((_place(values, one), y + 16), f"{one:g}", "tick", "middle") for one in values]
    return Markup("").join([_line(y), svg.text((0, y - 10), _said(name), "axis"), *ticks])


def _result_axis(y: float, low: float, high: float) -> Markup:
    ends = svg.text((0, y + 16), f"{low:.3f}", "tick") + svg.text((100, y + 16), f"{high:.3f}", "tick", "end")
    return _line(y) + svg.text((0, y - 10), "NDCG@10, for-you", "axis strong") + ends


def _line(y: float) -> Markup:
    return svg.line((0, y), (100, y), "axis-line")


def _said(name: str) -> str:
    return name.replace("_", " ")


def _sentence(record: Record, runs: list[Run]) -> str:
    best, factors = runs[0], sum(run.data.params.get("component") == "als" for run in runs)
    told = f"Of {many(len(runs), 'candidate')}, {factors} of them ALS settings, {best.info.run_name}"
    score = share(best.data.metrics, MAIN, str(best.info.run_id))
    end = f"{told} was best in for-you on the validation days, with NDCG@10 {score}"
    if "chosen" not in record.tags:
        return f"{end}; the night stopped before one was chosen."
    return f"{end}; the champion's settings were kept." if record.tags.get(SETTINGS) == KEPT else f"{end}."


def _warning(record: Record) -> str:
    edges = record.tags.get("edge_of_grid", "none")
    if edges == "none":
        return ""
    names = [_said(name) for name in edges.split(", ")]
    verb = "lies" if len(names) == 1 else "lie"
    return (
        f"Edge of the grid: the chosen {listed(names)} {verb} at the edge of what was tried,"
        " so a better value may lie beyond it."
    )
