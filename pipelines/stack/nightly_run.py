"""Tonight's run of the DAG `nightly`: started where it is missing, and followed task by task."""

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
from pipelines.stack.airflow_api import Nights
from pipelines.stack.airflow_home import task_logs
from pipelines.stack.board import board
from pipelines.stack.supervisor import Supervisor
from pipelines.stack.waiting import wait_for
from serving.errors import NightshelfError

OVER = ("success", "failed")
ENDED = {"success": "done", "skipped": "skipped"}
BUSY = ("queued", "scheduled", "running", "restarting")
# Nor does what Airflow tells of itself hold anything of a customer.
TOLD = ("AirflowException", "AirflowFailException", "AirflowRuntimeError")

Tasks = list[dict[str, Any]]


def is_due(settings: Settings) -> bool:
    """Whether no night succeeded since midnight (UTC)."""
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with _nights(settings) as nights:
        return not nights.succeeded_since(midnight)


def run_night(settings: Settings, supervisor: Supervisor) -> None:
    """Runs a night, or goes on with one under way, and shows it task by task.

    Raises NightshelfError saying which task failed, why, and where its log is.
    """
    with _nights(settings) as nights:
        run = nights.under_way() or nights.trigger()
        nights.unpause()
        if _follow(nights, run, supervisor) == "failed":
            raise NightshelfError(failure(nights.tasks(run), task_logs(settings)))


def start_night(settings: Settings) -> bool:
    """Whether a night was begun: not where one is under way, or succeeded since midnight.

    It isn't waited for. Raises NightshelfError where Airflow doesn't answer.
    """
    if not is_due(settings):
        return False
    with _nights(settings) as nights:
        begun = not nights.under_way()
        if begun:
            nights.trigger()
        nights.unpause()
        return begun


@contextmanager
def _nights(settings: Settings) -> Iterator[Nights]:
    with httpx.Client(base_url=address(settings, settings.airflow_port), timeout=30) as http:
        nights = Nights(http, settings.airflow_password.get_secret_value())
        wait_for(nights.known, "Airflow hasn't read dags/nightly.py: see the log of airflow-dag-processor")
        yield nights


def _follow(nights: Nights, run: str, supervisor: Supervisor) -> str:
    """The run's last state."""
    with board("Tonight's run") as rows:
        while True:
            supervisor.check()
            state = nights.state(run)
            for name, (progress, detail) in summary(nights.tasks(run)).items():
                rows.set(name, progress, detail)
            if state in OVER:
                return state
            time.sleep(1)


def summary(tasks: Tasks) -> dict[str, tuple[str, str]]:
    """State and detail of each task that has begun; a mapped task's instances are counted.

    >>> sweep = {"task_id": "sweep"}
    >>> summary([sweep | {"map_index": 0, "state": "success"}, sweep | {"map_index": 1, "state": "running"}])
    {'sweep': ('running', '1 of 2')}
    """
    states: dict[str, list[str | None]] = {}
    for task in tasks:
        states.setdefault(task["task_id"], []).append(task["state"])
    mapped = {task["task_id"] for task in tasks if task["map_index"] >= 0}
    return {
        name: (state, f"{Counter(found)['success']} of {len(found)}" if name in mapped else "")
        for name, found in states.items()
        if (state := _state(found))
    }


def _state(found: list[str | None]) -> str:
    if "failed" in found:
        return "failed"
    if "up_for_retry" in found:
        return "to be tried again"
    if any(state in BUSY for state in found):
        return "running"
    return ENDED.get(found[0] or "", "")


def failure(tasks: Tasks, logs: Path) -> str:
    """Which task failed, why, and where its log is; logs: the folder of Airflow's task logs."""
    failed = next((task for task in tasks if task["state"] == "failed"), None)
    if failed is None:
        return "tonight's run failed without a failed task; Airflow's grid shows it"
    run = (
        logs
        / f"dag_id={failed['dag_id']}"
        / f"run_id={failed['dag_run_id']}"
        / f"task_id={failed['task_id']}"
    )
    place = run / f"map_index={failed['map_index']}" if failed["map_index"] >= 0 else run
    log = place / f"attempt={failed['try_number']}.log"
    return f"{failed['task_id']} failed: {_reason(log)} (its log is {log})"


def _reason(log: Path) -> str:
    """The sentence of an error of ours or Airflow's; of another only its kind, which tells of no customer."""
    lines = log.read_text().splitlines() if log.exists() else []
    errors = [error for line in lines for error in _entry(line).get("error_detail") or []]
    if not errors:
        return "no reason was written"
    return str(errors[-1]["exc_value" if errors[-1]["exc_type"] in TOLD else "exc_type"])


def _entry(line: str) -> dict[str, Any]:
    """What a line of a log says; nothing where it isn't whole, as of a task that was killed."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
