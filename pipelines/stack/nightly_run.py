"""Today's run of the DAG `nightly`: triggers it if it is due, and follows it task by task."""

import datetime as dt
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from pipelines.settings import Settings, address
from pipelines.stack.airflow_api import TIMEOUT, NightlyRuns
from pipelines.stack.airflow_home import task_logs
from pipelines.stack.board import board, console
from pipelines.stack.supervisor import Supervisor
from pipelines.stack.waiting import wait_for
from serving.errors import NightshelfError

EVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FINAL = ("success", "failed")
FINISHED = {"success": "done", "skipped": "skipped"}
BUSY = ("queued", "scheduled", "running", "restarting")
# The messages of these errors hold no personal data; of any other error only the type is shown.
SAFE_ERRORS = ("AirflowException", "AirflowFailException", "AirflowRuntimeError")

Tasks = list[dict[str, Any]]


def is_due(settings: Settings, supervisor: Supervisor | None = None) -> bool:
    """Whether no nightly run has succeeded since midnight; supervisor: that of Airflow's programs.

    Midnight is that of NIGHTSHELF_TIMEZONE.
    """
    midnight = dt.datetime.now(settings.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    with _nightly_runs(settings, supervisor) as runs:
        return not runs.succeeded_since(midnight)


def run_and_follow(settings: Settings, supervisor: Supervisor, first_sweep: str | None = None) -> None:
    """Triggers a run, or joins the active one, and shows its tasks until it ends.

    first_sweep: the sweep of the first run of all; None: that of the settings, as in all later runs.
    Raises NightshelfError saying which task failed, why, and where its log is.
    """
    with _nightly_runs(settings, supervisor) as runs:
        run = runs.active_run() or _trigger(runs, first_sweep)
        runs.unpause()
        if _follow(runs, run, supervisor) == "failed":
            raise NightshelfError(failure(runs.tasks(run), task_logs(settings)))


def _trigger(runs: NightlyRuns, first_sweep: str | None) -> str:
    if first_sweep is None or runs.succeeded_since(EVER):
        return runs.trigger()
    console.print(f"The first nightly run uses the sweep `{first_sweep}`, later runs that of the settings.")
    return runs.trigger(first_sweep)


def trigger_if_due(settings: Settings) -> bool:
    """Triggers a run unless one is active or has succeeded since midnight; returns whether it did.

    Doesn't wait for the run. Raises NightshelfError if Airflow doesn't answer.
    """
    if not is_due(settings):
        return False
    with _nightly_runs(settings) as runs:
        is_new = not runs.active_run()
        if is_new:
            runs.trigger()
        runs.unpause()
        return is_new


@contextmanager
def _nightly_runs(settings: Settings, supervisor: Supervisor | None = None) -> Iterator[NightlyRuns]:
    """Yields a client of Airflow once it has loaded the DAG."""
    with httpx.Client(base_url=address(settings, settings.airflow_port), timeout=TIMEOUT) as http:
        runs = NightlyRuns(http, settings.airflow_password.get_secret_value())

        def is_loaded() -> bool:
            if supervisor:
                supervisor.check()
            return runs.is_loaded()

        wait_for(is_loaded, "Airflow to load dags/nightly.py; see the log of airflow-dag-processor")
        yield runs


def _follow(runs: NightlyRuns, run: str, supervisor: Supervisor) -> str:
    """Shows the tasks of a run until it ends, and returns its final state; the run may take any time."""
    with board("Nightly run") as rows:
        while True:
            supervisor.check()
            state = runs.state(run)
            for name, (progress, detail) in summary(runs.tasks(run)).items():
                rows.set(name, progress, detail)
            if state in FINAL:
                return state
            time.sleep(1)


def summary(tasks: Tasks) -> dict[str, tuple[str, str]]:
    """State and detail of each task that has started; of a mapped task, how many instances succeeded.

    >>> sweep = {"task_id": "sweep"}
    >>> summary([sweep | {"map_index": 0, "state": "success"}, sweep | {"map_index": 1, "state": "running"}])
    {'sweep': ('running', '1 of 2')}
    """
    states: dict[str, list[str | None]] = {}
    for task in tasks:
        states.setdefault(task["task_id"], []).append(task["state"])
    mapped = {task["task_id"] for task in tasks if task["map_index"] >= 0}
    return {
        name: (state, f"{Counter(own)['success']} of {len(own)}" if name in mapped else "")
        for name, own in states.items()
        if (state := _overall_state(own))
    }


def _overall_state(states: list[str | None]) -> str:
    """The state to show for the instances of a task; empty if it hasn't started."""
    if "failed" in states:
        return "failed"
    if "up_for_retry" in states:
        return "waiting for a retry"
    if any(state in BUSY for state in states):
        return "running"
    return FINISHED.get(states[0] or "", "")


def failure(tasks: Tasks, logs: Path) -> str:
    """A message saying which task failed, why, and where its log is; logs: the folder of task logs."""
    failed = next((task for task in tasks if task["state"] == "failed"), None)
    if failed is None:
        return "the nightly run failed although no task did: see it in Airflow's UI"
    folder = (
        logs
        / f"dag_id={failed['dag_id']}"
        / f"run_id={failed['dag_run_id']}"
        / f"task_id={failed['task_id']}"
    )
    if failed["map_index"] >= 0:
        folder /= f"map_index={failed['map_index']}"
    log = folder / f"attempt={failed['try_number']}.log"
    return f"{failed['task_id']} failed: {_reason(log)} (its log is {log})"


def _reason(log: Path) -> str:
    """The message of the last error in a task's log if it is safe to show, otherwise the error's type."""
    lines = log.read_text().splitlines() if log.exists() else []
    errors = [error for line in lines for error in _entry(line).get("error_detail") or []]
    if not errors:
        return "its log contains no error"
    last = errors[-1]
    return str(last["exc_value" if last["exc_type"] in SAFE_ERRORS else "exc_type"])


def _entry(line: str) -> dict[str, Any]:
    """The JSON object of a log's line; empty if the line is incomplete, as after a task was killed."""
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return entry if isinstance(entry, dict) else {}
