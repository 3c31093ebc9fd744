"""The MLflow run of a nightly run as the report reads it: metrics, tags, candidates and artifacts."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.entities import Run

from pipelines.run import tracking
from pipelines.run.night import Night
from pipelines.run.tracking import client

Json = dict[str, Any]

STEPS = (
    *("extract", "validate", "prepare", "backtest_champion", "sweep", "association_rules"),
    *("evaluate", "register", "gate", "publish", "smoke"),
)
PUBLISHED = ("FIRST", "PROMOTED")  # the verdicts after which the challenger becomes the champion


@dataclass(frozen=True)
class Record:
    """The MLflow run of a nightly run.

    candidates: the child runs of the sweep; decision, evaluation: the artifacts that gate and evaluate
    logged, empty if the run stopped before.
    """

    night: Night
    run: Run
    candidates: list[Run] = field(default_factory=list)
    decision: Json = field(default_factory=dict)
    evaluation: Json = field(default_factory=dict)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The run's metrics."""
        metrics: Mapping[str, float] = self.run.data.metrics
        return metrics

    @property
    def tags(self) -> Mapping[str, str]:
        """The run's tags."""
        tags: Mapping[str, str] = self.run.data.tags
        return tags


def read(night: Night) -> Record:
    """The record of a nightly run, finished or not."""
    run = client().get_run(night.run_id)
    logged = {artifact.path for artifact in client().list_artifacts(night.run_id)}
    decision, evaluation = (
        _artifact(night.run_id, name) if name in logged else {}
        for name in ("decision.json", "evaluation.json")
    )
    return Record(night, run, tracking.children(night.run_id), decision, evaluation)


def stopped_at(run: Run) -> str:
    """The step in which a run stopped; empty if it did not stop."""
    step = run.data.tags.get(tracking.STOPPED_AT, "")
    # A step that failed and has seconds succeeded when it was retried.
    is_done = run.info.status == "FINISHED" or f"{tracking.SECONDS}{step}" in run.data.metrics
    return "" if is_done else str(step)


def verdict(run: Run) -> str:
    """FIRST, PROMOTED or REFUSED for a run that finished; else STOPPED or UNFINISHED."""
    if run.info.status == "FAILED" or stopped_at(run):
        return "STOPPED"
    verdict = run.data.tags.get("verdict", "")
    return str(verdict) if verdict and run.info.status == "FINISHED" else "UNFINISHED"


def failure(run: Run) -> str:
    """The message of the error that stopped a run, without the step's name; empty if it did not stop."""
    message, step = run.data.tags.get(tracking.FAILED, ""), stopped_at(run)
    return str(message).removeprefix(f"{step}: ")


def gate_reasons(run: Run) -> list[str]:
    """The reasons of the gate's verdict; empty if the gate did not run."""
    decision = json.loads(run.data.tags.get("decision", "{}"))
    return list(decision.get("reasons", []))


def as_of(run: Run) -> str:
    """The last day of data that a nightly run used, as in 2026-01-31."""
    return str(run.info.run_name).removeprefix(tracking.RUN_PREFIX)


def _artifact(run_id: str, name: str) -> Json:
    with tempfile.TemporaryDirectory() as folder:
        content: Json = json.loads(Path(client().download_artifacts(run_id, name, folder)).read_text())
        return content
