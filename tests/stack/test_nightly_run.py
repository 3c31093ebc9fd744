"""A nightly run through Airflow's REST API: its progress, its failure and its trigger."""

import json
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines.settings import Settings
from pipelines.stack.airflow_api import NightlyRuns
from pipelines.stack.nightly_run import failure, summary, trigger_if_due
from serving.errors import NightshelfError

RUN = {"dag_id": "nightly", "dag_run_id": "manual__1"}


def instance(task, state, map_index=-1):
    return RUN | {"task_id": task, "state": state, "map_index": map_index, "try_number": 2}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["queued", None, None], ("running", "0 of 3")),
        (["success", "running", None], ("running", "1 of 3")),
        (["success", "up_for_retry", "running"], ("waiting for a retry", "1 of 3")),
        (["success", "failed", "running"], ("failed", "1 of 3")),
        (["success", "success", "success"], ("done", "3 of 3")),
    ],
)
def test_mapped_task_instances_are_counted_in_one_row(states, expected):
    tasks = [instance("sweep", state, index) for index, state in enumerate(states)]
    assert summary(tasks) == {"sweep": expected}


def test_tasks_that_have_not_started_are_not_shown():
    tasks = [instance("extract", "success"), instance("publish", "skipped"), instance("gate", None)]
    assert summary(tasks) == {"extract": ("done", ""), "publish": ("skipped", "")}


@pytest.fixture
def write_log(tmp_path):
    """A function that writes an error to the log of a task, and returns the log's path."""

    def write(kind, text, task="validate", mapped=""):
        log = tmp_path / "dag_id=nightly" / "run_id=manual__1" / f"task_id={task}" / mapped / "attempt=2.log"
        log.parent.mkdir(parents=True)
        error = {"event": "Task failed", "error_detail": [{"exc_type": kind, "exc_value": text}]}
        log.write_text(f'{{"event": "begins"}}\n{json.dumps(error)}\n')
        return log

    return write


@pytest.mark.parametrize("kind", ["AirflowFailException", "AirflowException", "AirflowRuntimeError"])
def test_a_failure_shows_the_error_message_and_the_log(write_log, tmp_path, kind):
    log = write_log(kind, "the day is too small: look at the shop")
    message = failure([instance("extract", "success"), instance("validate", "failed")], tmp_path)
    assert message == f"validate failed: the day is too small: look at the shop (its log is {log})"


def test_an_unexpected_error_shows_only_its_type(write_log, tmp_path):
    write_log("KeyError", "+7 916 539-62-05")
    message = failure([instance("validate", "failed")], tmp_path)
    assert "KeyError" in message
    assert "916" not in message


def test_an_incomplete_line_of_a_killed_task_is_skipped(write_log, tmp_path):
    log = write_log("AirflowFailException", "the day is too small")
    with log.open("a") as file:
        file.write('3\n{"event": "half a li')
    assert "validate failed: the day is too small" in failure([instance("validate", "failed")], tmp_path)


def test_names_the_log_of_a_mapped_task_instance(write_log, tmp_path):
    log = write_log("AirflowFailException", "too large", "sweep", "map_index=3")
    assert str(log) in failure([instance("sweep", "success", 1), instance("sweep", "failed", 3)], tmp_path)


def test_a_failure_without_a_log_is_reported(tmp_path):
    assert "its log contains no error" in failure([instance("validate", "failed")], tmp_path)


@pytest.fixture
def http():
    with httpx.Client() as client:
        yield client


@pytest.fixture
def airflow(serve, http):
    """A function from responses to a client of a fake Airflow, which gives them in turn."""

    async def token(request: Request) -> JSONResponse:
        is_right = (await request.json())["password"] == "password"
        return JSONResponse({"access_token": "token"} if is_right else {}, 201 if is_right else 401)

    def make(responses, password="password"):
        async def respond(request: Request) -> JSONResponse:
            assert request.headers["Authorization"] == "Bearer token"
            return responses.pop(0)(request)

        routes = [Route("/auth/token", token, methods=["POST"]), Route("/api/v2/{path:path}", respond)]
        http.base_url = serve(Starlette(routes=routes))
        return NightlyRuns(http, password)

    return make


def test_a_wrong_password_is_an_error_at_once(airflow):
    started = time.monotonic()
    with pytest.raises(NightshelfError, match="answers 401 to POST /auth/token"):
        airflow([], "another")
    assert time.monotonic() - started < 2


def test_a_request_to_a_busy_airflow_is_repeated(airflow):
    started = time.monotonic()
    runs = airflow([lambda _: JSONResponse({}, 500), lambda _: JSONResponse({"state": "running"})])
    assert runs.state("manual__1") == "running"
    assert time.monotonic() - started > 1


def test_reads_all_pages_of_tasks(airflow):
    def page(request):
        offset = int(request.query_params["offset"])
        rows = [instance("sweep", "success", index) for index in range(offset, min(offset + 100, 130))]
        return JSONResponse({"task_instances": rows, "total_entries": 130})

    assert [task["map_index"] for task in airflow([page, page]).tasks("manual__1")] == list(range(130))


def test_a_dag_that_can_not_be_imported_is_an_error_naming_the_cause(airflow):
    error = {"filename": "nightly.py", "stack_trace": "Traceback\n  ...\nSyntaxError: invalid syntax\n"}
    runs = airflow([lambda _: JSONResponse({"import_errors": [error]})])
    with pytest.raises(
        NightshelfError, match=r"Airflow can't import nightly.py: SyntaxError: invalid syntax"
    ):
        runs.is_loaded()


@pytest.mark.parametrize(
    ("succeeded", "running", "expected"), [(True, False, False), (False, True, False), (False, False, True)]
)
def test_triggers_a_run_unless_one_is_active_or_succeeded_today(home, serve, succeeded, running, expected):
    requests = []

    async def respond(request: Request) -> JSONResponse:
        requests.append((request.method, request.url.path))
        if request.method == "GET" and request.url.path.endswith("/dagRuns"):
            exists = succeeded if request.query_params["state"] == "success" else running
            return JSONResponse({"dag_runs": [{"dag_run_id": "manual__1"}] if exists else []})
        return JSONResponse(
            {"import_errors": [], "dags": [{}], "dag_run_id": "manual__2", "access_token": "t"}
        )

    methods = ["GET", "POST", "PATCH"]
    port = int(serve(Starlette(routes=[Route("/{path:path}", respond, methods=methods)])).rpartition(":")[2])
    assert trigger_if_due(Settings(airflow_port=port, airflow_password="password")) == expected
    assert (("POST", "/api/v2/dags/nightly/dagRuns") in requests) == expected
    assert (("PATCH", "/api/v2/dags/nightly") in requests) == (not succeeded)
