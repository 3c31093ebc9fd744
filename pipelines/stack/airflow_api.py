"""The DAG `nightly` through Airflow's REST API: triggers runs and reads their state."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from serving.errors import NightshelfError

PAGE = 100
TIMEOUT = 300  # seconds for one answer: a busy machine is slow, not broken
TOO_MANY_REQUESTS = 429


class AirflowBusyError(NightshelfError):
    """Airflow didn't answer, or is too busy or too broken to; the request may be repeated."""


# While candidates train, the API server may have to wait for a processor, or for its database.
PATIENTLY = Retrying(
    retry=retry_if_exception_type(AirflowBusyError),
    wait=wait_fixed(2),
    stop=stop_after_delay(900),
    reraise=True,
)


class NightlyRuns:
    """The runs of the DAG `nightly`.

    Every method raises NightshelfError if Airflow refuses or doesn't answer. Requests that can be repeated
    safely are retried while Airflow is busy.
    """

    def __init__(self, http: httpx.Client, password: str) -> None:
        """Logs in as the user admin; http: a client with Airflow's address as its base URL."""
        self.http = http
        login = {"username": "admin", "password": password}
        token = PATIENTLY(self._request, "POST", "/auth/token", json=login)
        self.http.headers["Authorization"] = f"Bearer {token['access_token']}"

    def is_loaded(self) -> bool:
        """Whether Airflow has loaded the DAG; raises NightshelfError if importing its file fails."""
        for error in self._get("/importErrors")["import_errors"]:
            last_line = error["stack_trace"].strip().splitlines()[-1]
            raise NightshelfError(f"Airflow can't import {error['filename']}: {last_line}")
        return bool(self._get("/dags", dag_id_pattern="nightly")["dags"])

    def active_run(self) -> str | None:
        """The id of the latest run that is queued or running, such as an interrupted one."""
        return self._latest(state=["running", "queued"])

    def succeeded_since(self, moment: dt.datetime) -> bool:
        """Whether a run that ended after the moment succeeded."""
        return self._latest(state=["success"], end_date_gte=moment.isoformat()) is not None

    def trigger(self, sweep: str | None = None) -> str:
        """Triggers a run, and returns its id. It is not retried, which could trigger two."""
        asked = {"logical_date": None, "conf": {"sweep": sweep}}
        run = self._request("POST", "/api/v2/dags/nightly/dagRuns", json=asked)
        return str(run["dag_run_id"])

    def unpause(self) -> None:
        """Unpauses the DAG, so that its runs start."""
        PATIENTLY(self._request, "PATCH", "/api/v2/dags/nightly", json={"is_paused": False})

    def state(self, run: str) -> str:
        """The state of a run, such as `running`."""
        return str(self._get(f"/dags/nightly/dagRuns/{run}")["state"])

    def tasks(self, run: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        return list(self._pages(f"/dags/nightly/dagRuns/{run}/taskInstances"))

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        offset, total = 0, 1
        while offset < total:
            page = self._get(path, limit=PAGE, offset=offset)
            yield from page["task_instances"]
            offset, total = offset + PAGE, page["total_entries"]

    def _latest(self, **query: Any) -> str | None:
        runs = self._get("/dags/nightly/dagRuns", limit=1, order_by="-run_after", **query)["dag_runs"]
        return runs[0]["dag_run_id"] if runs else None

    def _get(self, path: str, **query: Any) -> Any:
        return PATIENTLY(self._request, "GET", f"/api/v2{path}", params=query)

    def _request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of the response; raises AirflowBusyError where the request may be repeated."""
        airflow = f"Airflow at {self.http.base_url}"
        try:
            return self.http.request(method, path, **options).raise_for_status().json()
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            is_busy = status >= httpx.codes.INTERNAL_SERVER_ERROR or status == TOO_MANY_REQUESTS
            is_login = status == httpx.codes.UNAUTHORIZED
            hint = "check NIGHTSHELF_AIRFLOW_PASSWORD" if is_login else "see its log"
            message = f"{airflow} answers {status} to {method} {path}: {hint}"
            raise (AirflowBusyError if is_busy else NightshelfError)(message) from None
        except httpx.TransportError as error:
            problem = f"does not answer {method} {path} ({type(error).__name__})"
            raise AirflowBusyError(f"{airflow} {problem}: check that it is running") from None
