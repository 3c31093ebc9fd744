"""Nightly runs in MLflow: one parent run each, and a child run per candidate."""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import pyarrow.dataset as ds
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from pipelines.settings import settings
from serving.errors import NightshelfError

TRIES = "6"  # two minutes: a restart of the server fails no run
EXPERIMENT = "nightly"
REGISTRY_EXPERIMENT = "registry"
DESCRIPTIONS = {  # shown above an experiment's runs
    EXPERIMENT: (
        "One run for each nightly run, named after its last day; its children are the candidates of the"
        " sweep. A candidate's metrics are measured on the validation window, those of the nightly run on the"
        " test window. Tag `verdict` and artifact `decision.json` hold what the gate decided; `report.html`"
        " is the night report."
    ),
    REGISTRY_EXPERIMENT: (
        "One run for each act on the registered model: first, promoted, refused, by hand, rollback. The tags"
        " say which version, which one served before, and why."
    ),
}
FIRST_TRIES = "3"  # ten seconds: before anything has begun, an error is reported soon
RUN_PREFIX = "night-"  # a run's name is this prefix and its day
CANDIDATE = "candidate"
CANDIDATE_SECONDS = "seconds"  # metric of a child run: all seconds that the candidate took
SECONDS = "seconds_"  # prefix of a metric: seconds of each step
STOPPED_AT, FAILED = "stopped_at", "failed"  # tags: the step that failed, and the reason
CHOSEN, VERSION = "chosen", "version"  # tags: the challenger's settings, and its version
SETTINGS, NEW, KEPT = "settings", "the sweep's", "the champion's"  # tag: whose settings the challenger has
AGAINST = "against"  # tag: the version that served when the challenger was measured
DECISION = "decision"  # tag: the gate's verdict, as JSON
MLFLOW_EXPERIMENT_NOTE = "mlflow.note.content"
MAX_TAG_LENGTH = 8000  # characters, MLflow's limit


@cache
def client() -> MlflowClient:
    """Returns the client of the tracking server, or of the database in HOME/mlruns."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", TRIES)
    logging.getLogger("mlflow.store.db").setLevel(
        logging.WARNING
    )  # at INFO it logs each table that it creates
    (settings().home / "mlruns").mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=settings().tracking_uri, registry_uri=settings().tracking_uri)


def begin(name: str, params: Mapping[str, Any]) -> str:
    """Creates a parent run and returns its id; raises NightshelfError if MLflow can't be reached."""
    try:
        with _tries(FIRST_TRIES):
            run = client().create_run(experiment(EXPERIMENT), run_name=name)
    except MlflowException as error:
        raise NightshelfError(
            f"MLflow at {settings().tracking_address} can't be reached ({type(error).__name__}):"
            " check that it is running and that NIGHTSHELF_MLFLOW_URI is right"
        ) from None
    log(run.info.run_id, params=params)
    return str(run.info.run_id)


def log(
    run_id: str,
    metrics: Mapping[str, float] | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Adds metrics, parameters and tags to a run, in one request; a run without an id is not recorded."""
    if not run_id:
        return
    now = int(time.time() * 1000)
    client().log_batch(
        run_id,
        metrics=[Metric(name, float(value), now, 0) for name, value in (metrics or {}).items()],
        params=[Param(name, str(value)) for name, value in (params or {}).items()],
        tags=[RunTag(name, value) for name, value in (tags or {}).items()],
    )


def log_table(run_id: str, name: str, table: ds.Dataset, source: str) -> None:
    """Records a table as an input of a run: its path, columns and number of rows, never its content."""
    schema = json.dumps({"columns": {field.name: str(field.type) for field in table.schema}})
    profile = json.dumps({"rows": table.count_rows()})
    digest = source.rsplit("/", 1)[-1][:32]  # the name of the version, which is unique
    dataset = Dataset(name, digest, "local", json.dumps({"uri": source}), schema, profile)
    client().log_inputs(run_id, [DatasetInput(dataset, tags=[])])


def log_child(
    run_id: str, name: str, candidate: str, params: Mapping[str, Any], metrics: Mapping[str, float]
) -> None:
    """Adds a finished child run for a candidate."""
    tags = {MLFLOW_PARENT_RUN_ID: run_id, MLFLOW_RUN_NAME: name, CANDIDATE: candidate}
    child = client().create_run(experiment(EXPERIMENT), tags=tags)
    log(child.info.run_id, metrics, params)
    client().set_terminated(child.info.run_id)


def children(run_id: str) -> list[Run]:
    """Returns the child runs of a nightly run, the latest of each name."""
    runs = client().search_runs(
        [experiment(EXPERIMENT)],
        f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run_id}'",
        order_by=["start_time ASC"],
        max_results=1000,
    )
    return list({run.info.run_name: run for run in runs}.values())


def nightly_runs() -> list[Run]:
    """Returns all nightly runs, the newest first."""
    runs = client().search_runs(
        [experiment(EXPERIMENT)],
        f"attributes.run_name LIKE '{RUN_PREFIX}%'",
        order_by=["start_time DESC"],
        max_results=1000,
    )
    return list(runs)


def nightly_run(run_id: str | None) -> Run:
    """Returns the nightly run of an id, else the newest; raises NightshelfError if there is none."""
    try:
        runs = [client().get_run(run_id)] if run_id else nightly_runs()[:1]
    except MlflowException:
        raise NightshelfError(
            f"MLflow at {settings().tracking_address} has no run {run_id!r}: pass the id of a nightly run"
        ) from None
    if not runs:
        raise NightshelfError("there is no nightly run yet: start one with `nightshelf step begin`")
    return runs[0]


def tag(run_id: str, name: str) -> str | None:
    """Returns a tag of a run, or None."""
    return client().get_run(run_id).data.tags.get(name)


@contextmanager
def mark_failed_step(run_id: str, step: str) -> Iterator[None]:
    """Tags the run with the step's name if the block raises."""
    try:
        yield
    except Exception:
        with suppress(MlflowException):  # MLflow itself may have failed
            client().set_tag(run_id, STOPPED_AT, step)
        raise


def end(run_id: str, failed: str = "") -> None:
    """Ends a nightly run; `failed` is the reason if it failed."""
    if failed:
        client().set_tag(run_id, FAILED, failed)
    client().set_terminated(run_id, "FAILED" if failed else "FINISHED")


@cache
def experiment(name: str) -> str:
    """Returns the id of an experiment, which is created with its description if it does not exist."""
    existing = client().get_experiment_by_name(name)
    description = DESCRIPTIONS.get(name, "")
    if existing:
        if description and existing.tags.get(MLFLOW_EXPERIMENT_NOTE) != description:
            client().set_experiment_tag(existing.experiment_id, MLFLOW_EXPERIMENT_NOTE, description)
        return str(existing.experiment_id)
    local = not settings().mlflow_uri
    artifacts = (settings().home / "mlruns" / "artifacts").as_uri() if local else None
    tags = {MLFLOW_EXPERIMENT_NOTE: description} if description else None
    return str(client().create_experiment(name, artifact_location=artifacts, tags=tags))


@contextmanager
def _tries(count: str) -> Iterator[None]:
    """Limits the tries of MLflow requests within the block."""
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    client()
    before = os.environ[name]
    os.environ[name] = count
    try:
        yield
    finally:
        os.environ[name] = before
