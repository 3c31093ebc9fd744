import json
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines.settings import Settings
from pipelines.stack.airflow_api import Nights
from pipelines.stack.nightly_run import failure, start_night, summary
from serving.errors import NightshelfError

RUN = {"dag_id": "nightly", "dag_run_id": "manual__1"}


def instance(task, state, map_index=-1):
    return RUN | {"task_id": task, "state": state, "map_index": map_index, "try_number": 2}


@pytest.mark.parametrize(
    ("states", "told"),
    [
        (["queued", None, None], ("running", "0 of 3")),
        (["success", "running", None], ("running", "1 of 3")),
        (["success", "up_for_retry", "running"], ("to be tried again", "1 of 3")),
        (["success", "failed", "running"], ("failed", "1 of 3")),
        (["success", "success", "success"], ("done", "3 of 3")),
    ],
)
def test_mapped_candidates_are_counted_in_one_row(states, told):
    assert summary([instance("sweep", state, place) for place, state in enumerate(states)]) == {"sweep": told}


def test_tasks_that_have_not_begun_are_not_shown():
    tasks = [instance("extract", "success"), instance("publish", "skipped"), instance("gate", None)]
    assert summary(tasks) == {"extract": ("done", ""), "publish": ("skipped", "")}


@pytest.fixture
def logged(tmp_path):
    """A function that writes an error into the log of a task, and returns the log."""

    def write(kind, text, task="validate", mapped=""):
        log = tmp_path / "dag_id=nightly" / "run_id=manual__1" / f"task_id={task}" / mapped / "attempt=2.log"
        log.parent.mkdir(parents=True)
        error = {"event": "Task failed", "error_detail": [{"exc_type": kind, "exc_value": text}]}
        log.write_text(f'{{"event": "begins"}}\n{json.dumps(error)}\n')
        return log

    return write


@pytest.mark.parametrize("kind", ["AirflowFailException", "AirflowException", "AirflowRuntimeError"])
def test_a_failure_is_told_by_its_sentence_and_its_log(logged, tmp_path, kind):
    log = logged(kind, "the day is too small: look at the shop")
    told = failure([instance("extract", "success"), instance("validate", "failed")], tmp_path)
    assert told == f"validate failed: the day is too small: look at the shop (its log is {log})"


def test_of_an_unforeseen_error_only_the_kind_is_told(logged, tmp_path):
    logged("KeyError", "+7 916 539-62-05")
    told = failure([instance("validate", "failed")], tmp_path)
    assert "KeyError" in told
    assert "916" not in told


def test_a_line_that_a_killed_task_did_not_end_hides_nothing(logged, tmp_path):
    log = logged("AirflowFailException", "the day is too small")
    with log.open("a") as file:
        file.write('3\n{"event": "half a li')
    assert "validate failed: the day is too small" in failure([instance("validate", "failed")], tmp_path)


def test_the_log_of_a_mapped_task(logged, tmp_path):
    log = logged("AirflowFailException", "too large", "sweep", "map_index=3")
    assert str(log) in failure([instance("sweep", "success", 1), instance("sweep", "failed", 3)], tmp_path)


def test_a_task_that_could_not_write_a_log(tmp_path):
    assert "no reason was written" in failure([instance("validate", "failed")], tmp_path)


@pytest.fixture
def http():
    with httpx.Client() as client:
        yield client


@pytest.fixture
def airflow(serve, http):
    """A function that makes Nights over an Airflow that lets `password` in and answers as told, in turn."""

    async def token(request: Request) -> JSONResponse:
        right = (await request.json())["password"] == "password"
        return JSONResponse({"access_token": "token"} if right else {}, 201 if right else 401)

    def make(answers, password="password"):
        async def answer(request: Request) -> JSONResponse:
            assert request.headers["Authorization"] == "Bearer token"
            return answers.pop(0)(request)

        routes = [Route("/auth/token", token, methods=["POST"]), Route("/api/v2/{path:path}", answer)]
        http.base_url = serve(Starlette(routes=routes))
        return Nights(http, password)

    return make


def test_a_wrong_password_is_told(airflow):
    with pytest.raises(NightshelfError, match="answers 401 to POST /auth/token"):
        airflow([], "another")


def test_a_busy_airflow_is_asked_again(airflow):
    begun = time.monotonic()
    nights = airflow([lambda _: JSONResponse({}, 500), lambda _: JSONResponse({"state": "running"})])
    assert nights.state("manual__1") == "running"
    assert time.monotonic() - begun > 1


def test_tasks_beyond_a_page_are_read_too(airflow):
    def page(request):
        offset = int(request.query_params["offset"])
        rows = [instance("sweep", "success", place) for place in range(offset, min(offset + 100, 130))]
        return JSONResponse({"task_instances": rows, "total_entries": 130})

    assert [task["map_index"] for task in airflow([page, page]).tasks("manual__1")] == list(range(130))


def test_a_dag_that_can_not_be_read_is_told(airflow):
    wrong = {"filename": "nightly.py", "stack_trace": "Traceback\n  ...\nSyntaxError: invalid syntax\n"}
    nights = airflow([lambda _: JSONResponse({"import_errors": [wrong]})])
    with pytest.raises(NightshelfError, match=r"Airflow can't read nightly.py: SyntaxError: invalid syntax"):
        nights.known()


@pytest.mark.parametrize(
    ("succeeded", "running", "begun"), [(True, False, False), (False, True, False), (False, False, True)]
)
def test_a_night_is_begun_where_there_is_none(home, serve, succeeded, running, begun):
    asked = []

    async def answer(request: Request) -> JSONResponse:
        asked.append((request.method, request.url.path))
        if request.method == "GET" and request.url.path.endswith("/dagRuns"):
            there = succeeded if request.query_params["state"] == "success" else running
            return JSONResponse({"dag_runs": [{"dag_run_id": "manual__1"}] if there else []})
        return JSONResponse(
            {"import_errors": [], "dags": [{}], "dag_run_id": "manual__2", "access_token": "t"}
        )

    methods = ["GET", "POST", "PATCH"]
    port = int(serve(Starlette(routes=[Route("/{path:path}", answer, methods=methods)])).rpartition(":")[2])
    assert start_night(Settings(airflow_port=port, airflow_password="password")) == begun
    assert (("POST", "/api/v2/dags/nightly/dagRuns") in asked) == begun
    assert (("PATCH", "/api/v2/dags/nightly") in asked) == (not succeeded)
