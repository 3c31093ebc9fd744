"""The report's HTML pages, rendered from Jinja2 templates.

A page loads nothing, runs no script, and escapes every text from data.
"""

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
from pipelines.report.figures import Figure, fraction, quantity
from pipelines.report.records import Record
from pipelines.report.service import ServiceMetrics
from serving.recommend.lanes import LANES

TEMPLATES = Path(__file__).parent
CONTENTS = (
    ("steps", "Steps"),
    ("lines", "Order lines"),
    ("expectations", "Expectations"),
    ("models", "Models"),
    ("sweep", "Sweep"),
    ("rules", "Association rules"),
    ("service", "Service"),
    ("trend", "Recent nightly runs"),
)


@dataclass(frozen=True)
class IndexRow:
    """A nightly run in the list of all; ndcg: NDCG@10 in for-you."""

    day: str
    banner: Banner
    ndcg: Figure | None
    has_report: bool


def night(
    record: Record, nights: list[Run], fetched: ServiceMetrics | str, champion: str, mlflow_url: str
) -> str:
    """The report of a nightly run as HTML.

    nights: the recent runs, oldest first; fetched: the result of `service.fetch`; champion: the version that
    serves now, or empty; mlflow_url: the page of the run in MLflow, or empty.
    """
    return (
        _templates()
        .get_template("night.html")
        .render(
            night=record.night,
            started=dt.datetime.fromtimestamp(record.run.info.start_time / 1000, dt.UTC),
            mlflow_url=mlflow_url,
            contents=CONTENTS,
            lanes=LANES,
            banner=banner.banner(record.run, champion),
            conditions=banner.conditions(record.decision),
            steps=steps.steps(record),
            waterfall=waterfall.waterfall(record),
            expectations=expectations.expectations(record),
            models=models.models(record),
            sweep=sweep.sweep(record),
            associations=associations.associations(record),
            service=service.service(record, fetched),
            trend=trend.trend(nights),
        )
    )


def index(runs: list[Run], reported: set[str]) -> str:
    """The list of nightly runs as HTML, newest day first, with the last run of each day.

    runs: newest first; reported: the days that have a report.
    """
    latest: dict[str, Run] = {}
    for run in runs:
        latest.setdefault(records.as_of(run), run)
    rows = [_row(day, latest[day], day in reported) for day in sorted(latest, reverse=True)]
    return _templates().get_template("nights.html").render(rows=rows, sentence=_sentence(rows))


def _row(day: str, run: Run, has_report: bool) -> IndexRow:
    ndcg = fraction(run.data.metrics, evaluation.flat_name(evaluation.NDCG, "for-you"), str(run.info.run_id))
    return IndexRow(day, banner.banner(run), ndcg, has_report)


def _sentence(rows: list[IndexRow]) -> str:
    if not rows:
        return "There has been no nightly run yet."
    published = [row.day for row in rows if row.banner.kind == "good"]
    summary = f"{quantity(len(rows), 'nightly run')}, {len(published)} of which published a model"
    return f"{summary}, most recently on {published[0]}." if published else f"{summary}."


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    environment.globals["style"] = Markup(style)  # noqa: S704 - the package's own file
    return environment
