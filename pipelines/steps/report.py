"""Step `report`: writes the night report of a nightly run, and the list of all runs."""

from pathlib import Path
from urllib.parse import urlsplit

from mlflow.entities import Run

from pipelines.registry import versions
from pipelines.report import page, records, service, trend
from pipelines.run import tracking
from pipelines.run.night import Night
from pipelines.settings import address, settings
from serving.bundle import atomic
from serving.live.registry import ALIAS

ARTIFACT = "report.html"


def run(night: Night) -> dict[str, str]:
    """Writes the report to MLflow and to HOME/nights, and returns its address under `page`."""
    fetched = service.fetch()
    if not isinstance(fetched, str):
        tracking.log(night.run_id, metrics=fetched)
    record, runs, champion = records.read(night), tracking.nightly_runs(), versions.find_alias(ALIAS)
    recent, version = trend.latest(runs, str(night.as_of)), str(champion.version) if champion else ""
    html = page.night(record, recent, fetched, version, mlflow_link(record.run))
    tracking.client().log_text(night.run_id, html, ARTIFACT)
    _write(settings().nights / f"{night.as_of}.html", html)
    _write(settings().nights / "index.html", page.index(runs, _reported_days()))
    return {"page": f"{address(settings(), settings().serving_port)}/nights/{night.as_of}"}


def _reported_days() -> set[str]:
    return {path.stem for path in settings().nights.glob("????-??-??.html")}


def _write(path: Path, html: str) -> None:
    """Writes a page atomically, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(path, html)


def mlflow_link(run: Run) -> str:
    """The URL of a run in the MLflow UI, without credentials; empty if MLflow is not at an HTTP address."""
    base = settings().mlflow_page or settings().mlflow_uri or address(settings(), settings().mlflow_port)
    url = urlsplit(base)
    if not url.scheme.startswith("http"):
        return ""
    host = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{host}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
