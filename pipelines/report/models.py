"""The section on models: NDCG@10 and intervals of challenger, champion and baselines, by lane and segment."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from pipelines import evaluate as evaluation
from pipelines.evaluate import differences
from pipelines.evaluate import settings as evaluation_settings
from pipelines.gate import conditions
from pipelines.lake import tables
from pipelines.report import svg
from pipelines.report.figures import Figure, fraction, quantity
from pipelines.report.records import Record
from pipelines.run import pins
from pipelines.run.tracking import KEPT, SETTINGS
from serving.recommend.lanes import LANES
from serving.recommend.recommender import BASELINES

MODELS = (conditions.CHALLENGER, conditions.CHAMPION, *BASELINES)
SHAPES = dict(zip(MODELS, ("diamond", "square", "circle", "triangle", "bar"), strict=True))
RESAMPLES = 200  # enough for a drawing; the gate draws more
HEIGHT = 20.0


@dataclass(frozen=True)
class ModelScore:
    """NDCG@10 of a model over some customers: its mean, and the bootstrap interval from low to high."""

    model: str
    figure: Figure | str
    low: float
    high: float
    mean: float
    bar: Markup | str = ""

    @property
    def interval(self) -> str:
        """The interval in words."""
        return f"{self.low:.3f} – {self.high:.3f}"


@dataclass(frozen=True)
class Segment:
    """The models over the customers of a segment; name: empty for all customers."""

    name: str
    customers: int
    scores: list[ModelScore]


@dataclass(frozen=True)
class Lane:
    """A lane: the models over all customers and over each segment, and a sentence about them."""

    name: str
    sentence: str
    everyone: Segment
    segments: list[Segment]


@dataclass(frozen=True)
class Models:
    """The section on models: the lanes that were evaluated, a sentence, and the mark of each model."""

    sentence: str
    lanes: list[Lane]
    marks: dict[str, Markup]


def models(record: Record) -> Models:
    """The section on models of a nightly run; without lanes if it wrote no evaluation table."""
    table = pins.own_table(record.night, tables.EVALUATION)
    if not tables.exists(table):
        return Models("No model was evaluated: the nightly run did not complete step evaluate.", [], {})
    rows = tables.read(table, [evaluation.MODEL, evaluation.LANE, evaluation.SEGMENT, evaluation.NDCG])
    lanes = [
        _lane(record, rows, lane)
        for lane in LANES
        if differences.select_lane(rows, conditions.CHALLENGER, lane)
    ]
    shown = {score.model for lane in lanes for score in lane.everyone.scores}
    marks = {model: svg.legend_sign(SHAPES[model], _kind(model)) for model in MODELS if model in shown}
    return Models(_sentence(record), lanes, marks)


def _lane(record: Record, rows: pa.Table, lane: str) -> Lane:
    everyone = _segment(record, evaluation.known_only(rows), lane, "")
    segments = [
        _segment(record, rows.filter(pc.equal(rows[evaluation.SEGMENT], name)), lane, name)
        for name in evaluation.SEGMENTS
    ]
    measured = [everyone, *(segment for segment in segments if segment.scores)]
    scale = svg.Scale(0, max(score.high for segment in measured for score in segment.scores) * 1.02)
    everyone, *segments = [_with_bars(segment, scale) for segment in measured]
    return Lane(lane, _lane_sentence(record, lane, everyone), everyone, segments)


def _segment(record: Record, rows: pa.Table, lane: str, name: str) -> Segment:
    values = {
        model: ndcg.to_numpy()
        for model in MODELS
        if len(ndcg := differences.select_lane(rows, model, lane)[evaluation.NDCG])
    }
    scores = [_score(record, model, lane, name, ndcg) for model, ndcg in values.items()]
    return Segment(name, max(map(len, values.values()), default=0), scores)


def _score(
    record: Record, model: str, lane: str, segment: str, values: "np.typing.NDArray[np.float64]"
) -> ModelScore:
    """The score of a model; values: NDCG@10 by customer, (n,) float64."""
    settings = evaluation_settings.load().model_copy(update={"resamples": RESAMPLES})
    low, high = differences.bootstrap_interval(values, settings)
    mean = float(values.mean())
    figure = fraction(record.metrics, _metric(model, lane, segment)) or f"{mean:.4f}"
    return ModelScore(model, figure, low, high, mean)


def _metric(model: str, lane: str, segment: str) -> str:
    """The MLflow metric of a mean; empty for a segment of another model than the challenger."""
    name = evaluation.flat_name(evaluation.NDCG, lane)
    if model == conditions.CHALLENGER:
        return f"{name}_{segment}" if segment else name
    return "" if segment else f"{model}_{name}"


def _with_bars(segment: Segment, scale: svg.Scale) -> Segment:
    return replace(segment, scores=[_with_bar(score, scale) for score in segment.scores])


def _with_bar(score: ModelScore, scale: svg.Scale) -> ModelScore:
    kind, middle = _kind(score.model), HEIGHT / 2
    low, high = scale(score.low), scale(score.high)
    title = f"{score.model}: {score.mean:.4f}, {score.interval}"
    parts = [
        svg.line((scale(0), middle), (scale(scale.high), middle), "guide"),
        svg.rect(low, middle - 3, high - low, 6, f"interval {kind}"),
        svg.mark(SHAPES[score.model], (scale(score.mean), middle), kind, title),
    ]
    label = f"{score.model}: NDCG@10 {score.mean:.3f}, {score.interval}"
    return replace(score, bar=svg.drawing(HEIGHT, label, parts))


def _kind(model: str) -> str:
    return "own" if model == conditions.CHALLENGER else "other"


def _sentence(record: Record) -> str:
    days = evaluation_settings.load().horizon_days
    is_kept = record.tags.get(SETTINGS) == KEPT
    challenger = "the champion's settings, fitted to this run's data" if is_kept else "the sweep's choice"
    window = f"the test window, the last {days} days, which no model was trained on"
    return f"All models are evaluated on {window}. The challenger is {challenger}."


def _lane_sentence(record: Record, lane: str, everyone: Segment) -> str:
    own = next(score for score in everyone.scores if score.model == conditions.CHALLENGER)
    baselines = (score for score in everyone.scores if score.model in BASELINES)
    best = max(baselines, key=lambda score: score.mean, default=None)
    summary = f"The challenger has NDCG@10 {own.figure} over {quantity(everyone.customers, 'customer')}"
    others = (best.model if best else "", conditions.CHAMPION)
    comparisons = [words for model in others if (words := _comparison(record, model, lane))]
    return f"{summary}: {' and '.join(comparisons)}." if comparisons else f"{summary}."


def _comparison(record: Record, model: str, lane: str) -> str:
    """How the challenger compares with a model, by the paired differences in evaluation.json."""
    difference = record.evaluation.get("differences", {}).get(model, {}).get(lane)
    if not difference:
        return ""
    other = "the champion's settings" if model == conditions.CHAMPION else model
    gain, low, high = (difference[name] for name in ("mean", "low", "high"))
    if low == high == 0:
        return f"equal to {other}"
    confidence = evaluation_settings.load().confidence
    interval = f"{gain:+.3f}, {low:+.3f} to {high:+.3f} with confidence {confidence:g}"
    if low <= 0 <= high:
        return f"not distinguishable from {other} ({interval})"
    return f"{'better' if gain > 0 else 'worse'} than {other} ({interval})"
