"""How good challenger, champion and baselines are, with intervals, by lane and by group of customers."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from pipelines import evaluate as evaluation
from pipelines.evaluate import differences
from pipelines.gate import conditions
from pipelines.lake import tables
from pipelines.report import svg
from pipelines.report.figures import Figure, many, share
from pipelines.report.records import Record
from pipelines.run import pins
from pipelines.steps.evaluate import KEPT, SETTINGS
from pipelines.sweep import space
from serving.recommend.recommender import BASELINES, LANES

MODELS = (conditions.CHALLENGER, conditions.CHAMPION, *BASELINES)
SHAPES = dict(zip(MODELS, ("diamond", "square", "circle", "triangle", "bar"), strict=True))
RESAMPLES = 200  # for a drawing; the gate takes more
HEIGHT = 20.0


@dataclass(frozen=True)
class Measured:
    """NDCG@10 of a model among some customers, and between which values it lies."""

    model: str
    figure: Figure | str
    low: float
    high: float
    mean: float
    bar: Markup | str = ""

    @property
    def between(self) -> str:
        """The interval in words."""
        return f"{self.low:.3f} – {self.high:.3f}"


@dataclass(frozen=True)
class Group:
    """The models among the customers of a group."""

    name: str
    customers: int
    models: list[Measured]


@dataclass(frozen=True)
class Lane:
    """A lane: all customers, then each group; and the sentence about it."""

    name: str
    sentence: str
    everyone: Group
    groups: list[Group]


@dataclass(frozen=True)
class Models:
    """All lanes that were judged, and the sentence about them."""

    sentence: str
    lanes: list[Lane]
    shapes: dict[str, Markup]


def models(record: Record) -> Models:
    """The comparison of a night, from its table of judged customers; without lanes where it has none."""
    table = pins.own(record.night, tables.EVALUATION)
    if not tables.exists(table):
        return Models("No model was measured: the night did not come that far.", [], {})
    judged = tables.read(table, [evaluation.MODEL, evaluation.LANE, evaluation.GROUP, evaluation.NDCG])
    lanes = [
        _lane(record, judged, lane)
        for lane in LANES
        if differences.of_lane(judged, conditions.CHALLENGER, lane)
    ]
    shown = {one.model for lane in lanes for one in lane.everyone.models}
    legend = {model: _legend(model) for model in MODELS if model in shown}
    return Models(_sentence(record), lanes, legend)


def _lane(record: Record, judged: pa.Table, lane: str) -> Lane:
    everyone = _group(record, evaluation.known_only(judged), lane, "")
    groups = [
        _group(record, judged.filter(pc.equal(judged[evaluation.GROUP], name)), lane, name)
        for name in evaluation.GROUPS
    ]
    found = [everyone, *(one for one in groups if one.models)]
    scale = svg.Scale(0, max(one.high for group in found for one in group.models) * 1.02)
    everyone, *groups = [_drawn(group, scale) for group in found]
    return Lane(lane, _lane_sentence(record, lane, everyone), everyone, groups)


def _group(record: Record, rows: pa.Table, lane: str, name: str) -> Group:
    values = {
        model: found.to_numpy()
        for model in MODELS
        if len(found := differences.of_lane(rows, model, lane)[evaluation.NDCG])
    }
    measured = [_measured(record, model, lane, name, found) for model, found in values.items()]
    return Group(name, max(map(len, values.values()), default=0), measured)


def _measured(
    record: Record, model: str, lane: str, group: str, values: "np.typing.NDArray[np.float64]"
) -> Measured:
    settings = space.load().evaluation.model_copy(update={"resamples": RESAMPLES})
    low, high = differences.interval(values, settings)
    mean = float(values.mean())
    figure = share(record.metrics, _metric(model, lane, group)) or f"{mean:.4f}"
    return Measured(model, figure, low, high, mean)


def _metric(model: str, lane: str, group: str) -> str:
    """The name by which MLflow keeps a mean; there is none for groups of other models than the challenger."""
    name = evaluation.flat_name(evaluation.NDCG, lane)
    if model == conditions.CHALLENGER:
        return f"{name}_{group}" if group else name
    return "" if group else f"{model}_{name}"


def _drawn(group: Group, scale: svg.Scale) -> Group:
    """The group with its interval bars."""
    return Group(group.name, group.customers, [_with_bar(one, scale) for one in group.models])


def _with_bar(one: Measured, scale: svg.Scale) -> Measured:
    kind, middle = ("own" if one.model == conditions.CHALLENGER else "other"), HEIGHT / 2
    low, high = scale(one.low), scale(one.high)
    parts = [
        svg.line((scale(0), middle), (scale(scale.high), middle), "guide"),
        svg.rect(low, middle - 3, high - low, 6, f"interval {kind}"),
        svg.mark(
            SHAPES[one.model], (scale(one.mean), middle), kind, f"{one.model}: {one.mean:.4f}, {one.between}"
        ),
    ]
    label = f"{one.model}: NDCG@10 {one.mean:.3f}, {one.between}"
    return replace(one, bar=svg.drawing(HEIGHT, label, parts))


def _legend(model: str) -> Markup:
    kind = "own" if model == conditions.CHALLENGER else "other"
    return Markup('<svg width="16" height="16" aria-hidden="true">{}</svg>').format(
        svg.mark(SHAPES[model], (50, 8), kind)
    )


def _sentence(record: Record) -> str:
    days = space.load().evaluation.horizon_days
    window = f"the last {days} days, which no model had seen"
    is_kept = record.tags.get(SETTINGS) == KEPT
    challenger = "the champion's settings on tonight's data" if is_kept else "the sweep's choice"
    return f"All models were asked about {window}; the challenger is {challenger}."


def _lane_sentence(record: Record, lane: str, everyone: Group) -> str:
    own = next(one for one in everyone.models if one.model == conditions.CHALLENGER)
    best = max(
        (one for one in everyone.models if one.model in BASELINES), key=lambda one: one.mean, default=None
    )
    told = f"The challenger has NDCG@10 {own.figure} over {many(everyone.customers, 'customer')}"
    others = [
        (name, _against(record, name, lane)) for name in (best.model if best else "", conditions.CHAMPION)
    ]
    words = [f"{found} {_the(name)}" for name, found in others if found]
    return f"{told}: {' and '.join(words)}." if words else f"{told}."


def _the(model: str) -> str:
    return "the champion's settings" if model == conditions.CHAMPION else model


def _against(record: Record, model: str, lane: str) -> str:
    """What the challenger gains on a model, paired by customer, as the evaluation wrote it."""
    found = record.evaluation.get("differences", {}).get(model, {}).get(lane)
    if not found:
        return ""
    gain, low, high = (found[name] for name in ("mean", "low", "high"))
    if low == high == 0:
        return "the same as"
    if low <= 0 <= high:
        return f"neither surely better nor surely worse ({gain:+.3f}, {low:+.3f} to {high:+.3f}) than"
    return f"surely {'better' if gain > 0 else 'worse'} ({gain:+.3f}, {low:+.3f} to {high:+.3f}) than"
