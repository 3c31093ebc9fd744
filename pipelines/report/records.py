"""What MLflow keeps of a night."""

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
    *("extract", "validate", "prepare", "live", "sweep", "rules"),
    *("evaluate", "register", "gate", "publish", "smoke"),
)
SERVES = ("FIRST", "PROMOTED")


@dataclass(frozen=True)
class Record:
    """A night's run with its candidates, and what the gate and the evaluation left beside it."""

    night: Night
    run: Run
    candidates: list[Run] = field(default_factory=list)
    decision: Json = field(default_factory=dict)
    evaluation: Json = field(default_factory=dict)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The night's metrics."""
        found: Mapping[str, float] = self.run.data.metrics
        return found

    @property
    def tags(self) -> Mapping[str, str]:
        """The night's tags."""
        found: Mapping[str, str] = self.run.data.tags
        return found


def read(night: Night) -> Record:
    """The record of a night, as far as it came."""
    run = client().get_run(night.run_id)
    there = {one.path for one in client().list_artifacts(night.run_id)}
    decision, evaluation = (
        _artifact(night.run_id, name) if name in there else {}
        for name in ("decision.json", "evaluation.json")
    )
    return Record(night, run, tracking.children(night.run_id), decision, evaluation)


def stopped_at(run: Run) -> str:
    """The step at which a night broke off; empty where none did."""
    step = run.data.tags.get(tracking.STOPPED_AT, "")
    done = run.info.status == "FINISHED" or f"{tracking.SECONDS}{step}" in run.data.metrics  # by a later try
    return "" if done else str(step)


def verdict(run: Run) -> str:
    """FIRST, PROMOTED or REFUSED of a night that came to its end; else STOPPED or UNFINISHED."""
    if run.info.status == "FAILED" or stopped_at(run):
        return "STOPPED"
    found = run.data.tags.get("verdict", "")
    return str(found) if found and run.info.status == "FINISHED" else "UNFINISHED"


def reason(run: Run) -> str:
    """Why a night was stopped, without the name of the step."""
    told, step = run.data.tags.get(tracking.FAILED, ""), stopped_at(run)
    return str(told).removeprefix(f"{step}: ")


def reasons(run: Run) -> list[str]:
    """The reasons of the gate."""
    decision = json.loads(run.data.tags.get("decision", "{}"))
    return list(decision.get("reasons", []))


def as_of(run: Run) -> str:
    """The day that a night closed."""
    return str(run.info.run_name).removeprefix(tracking.NIGHT)


def _artifact(run_id: str, name: str) -> Json:
    with tempfile.TemporaryDirectory() as folder:
        found: Json = json.loads(Path(client().download_artifacts(run_id, name, folder)).read_text())
        return found
