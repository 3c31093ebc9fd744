"""The pages: figures into HTML that loads nothing, runs no script and escapes all it is given."""

import datetime as dt
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from mlflow.entities import Run

from pipelines import evaluate as evaluation
from pipelines.report import (
    associations,
    banner,
    expectations,
    models,
    records,
    service,
    steps,
    sweep,
    trend,
    waterfall,
)
from pipelines.report.banner import Banner
from pipelines.report.figures import Figure, many, share
from pipelines.report.records import Record
from serving.recommend.recommender import LANES

HERE = Path(__file__).parent
CONTENTS = (
    ("steps", "Steps"),
    ("lines", "Order lines"),
    ("expectations", "Expectations"),
    ("models", "Models"),
    ("sweep", "Sweep"),
    ("rules", "What goes together"),
    ("service", "Service"),
    ("trend", "The last nights"),
)


@dataclass(frozen=True)
class Listed:
    """A night in the list of all; written: whether it has a report."""

    day: str
    banner: Banner
    measure: Figure | None
    written: bool


def night(record: Record, nights: list[Run], asked: service.Answers | str, serving: str, mlflow: str) -> str:
    """The report of a night.

    nights: the last ones; asked: as `served.ask` tells; serving: the version that serves by now; mlflow:
    where the run is shown.
    """
    return (
        _templates()
        .get_template("night.html")
        .render(
            night=record.night,
            started=dt.datetime.fromtimestamp(record.run.info.start_time / 1000, dt.UTC),
            mlflow=mlflow,
            contents=CONTENTS,
            lanes=LANES,
            banner=banner.banner(record.run, serving),
            conditions=banner.conditions(record.decision),
            stages=steps.stages(record),
            waterfall=waterfall.waterfall(record),
            expectations=expectations.expectations(record),
            models_found=models.models(record),
            sweep=sweep.sweep(record),
            associations=associations.associations(record),
            served=service.served(record, asked),
            trend=trend.trend(nights),
        )
    )


def index(runs: list[Run], written: set[str]) -> str:
    """The list of all nights, the newest first; of a day that was run again its last run."""
    latest: dict[str, Run] = {}
    for run in runs:
        latest.setdefault(records.as_of(run), run)
    nights = [_listed(day, latest[day], day in written) for day in sorted(latest, reverse=True)]
    return _templates().get_template("nights.html").render(nights=nights, sentence=_sentence(nights))


def _listed(day: str, run: Run, written: bool) -> Listed:
    measure = share(run.data.metrics, evaluation.flat_name(evaluation.NDCG, "for-you"), str(run.info.run_id))
    return Listed(day, banner.banner(run), measure, written)


def _sentence(nights: list[Listed]) -> str:
    if not nights:
        return "No night has been run yet."
    live = [one for one in nights if one.banner.kind == "good"]
    told = f"{many(len(nights), 'night')}, of which {len(live)} put a model live"
    return f"{told}; the last was on {live[0].day}." if live else f"{told}."


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (HERE / "style.css").read_text(encoding="utf-8")
    found.globals["style"] = Markup(style)  # noqa: S704 - a file of ours
    return found
