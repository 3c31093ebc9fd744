"""The wiring of the report: what MLflow and the lake hold of the night, in; pages and an artifact, out."""

from pathlib import Path
from urllib.parse import urlsplit

from mlflow.entities import Run

from pipelines.registry import versions
from pipelines.report import page, records, service, trend
from pipelines.run import tracking
from pipelines.run.night import Night
from pipelines.settings import address, settings
from serving.live.registry import ALIAS

ARTIFACT = "report.html"


def run(night: Night) -> dict[str, str]:
    """The address of the night's report, which is in MLflow and in HOME/nights beside a new list of all."""
    asked = service.ask()
    if not isinstance(asked, str):
        tracking.log(night.run_id, metrics=asked)
    record, runs = records.read(night), tracking.nights()
    champion = versions.aliased(ALIAS)
    serving, nights = str(champion.version) if champion else "", trend.latest(runs, str(night.as_of))
    html = page.night(record, nights, asked, serving, in_mlflow(record.run))
    tracking.client().log_text(night.run_id, html, ARTIFACT)
    _put(settings().nights / f"{night.as_of}.html", html)
    _put(settings().nights / "index.html", page.index(runs, _written()))
    return {"page": f"{address(settings(), settings().serving_port)}/nights/{night.as_of}"}


def _written() -> set[str]:
    """The days that have a report."""
    return {file.stem for file in settings().nights.glob("????-??-??.html")}


def _put(file: Path, html: str) -> None:
    """Writes a page whole: nobody reads half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}")
    beside.write_text(html, encoding="utf-8")
    beside.replace(file)


def in_mlflow(run: Run) -> str:
    """Where a browser finds the run in MLflow; nothing where there is no server."""
    found = settings().mlflow_page or settings().mlflow_uri or address(settings(), settings().mlflow_port)
    where = urlsplit(found)
    if not where.scheme.startswith("http"):
        return ""
    server = where.netloc.rpartition("@")[2]  # a user and a password are nobody's business
    return f"{where.scheme}://{server}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
