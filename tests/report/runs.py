"""MLflow runs of nightly runs, built by hand."""

import datetime as dt
import json

from mlflow.entities import Metric, Param, Run, RunData, RunInfo, RunTag

from pipelines.report.records import Record
from pipelines.run.night import Night

NIGHT = Night(
    as_of=dt.date(2026, 1, 31),
    source="files",
    path="",
    mapping="",
    sweep="quick",
    solver="implicit",
    run_id="night",
)


def run(status="FINISHED", run_id="night", as_of="2026-01-31", metrics=None, tags=None, params=None):
    info = RunInfo(run_id, "1", "me", status, 0, 1, "active", run_name=f"night-{as_of}")
    return Run(
        info,
        RunData(
            metrics=[Metric(name, value, 0, 0) for name, value in (metrics or {}).items()],
            params=[Param(name, str(value)) for name, value in (params or {}).items()],
            tags=[RunTag(name, value) for name, value in (tags or {}).items()],
        ),
    )


def gate_tags(verdict, reasons=("a: b",), **tags):
    """The tags that the gate sets on a run."""
    return {"verdict": verdict, "decision": json.dumps({"reasons": list(reasons)}), "version": "7"} | tags


def record(**fields):
    """The record of a run; fields: of `run`."""
    return Record(NIGHT, run(**fields))
