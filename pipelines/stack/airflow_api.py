"""The DAG `nightly` as Airflow's REST API shows it: trigger a run, ask for its state."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from serving.errors import NightshelfError

PAGE = 100

# While candidates train, the API server may have to wait for a processor, or for its database.
PATIENTLY = Retrying(
    retry=retry_if_exception_type(NightshelfError),
    wait=wait_fixed(2),
    stop=stop_after_delay(60),
    reraise=True,
)


class Nights:
    """The runs of `nightly`; each method raises NightshelfError where Airflow refuses or doesn't answer."""

    def __init__(self, http: httpx.Client, password: str) -> None:
        self.http = http
        token = self._ask("POST", "/auth/token", json={"username": "admin", "password": password})
        self.http.headers["Authorization"] = f"Bearer {token['access_token']}"

    def known(self) -> bool:
        """Whether Airflow has read the DAG; raises NightshelfError with the error where it can't."""
        for wrong in self._get("/importErrors")["import_errors"]:
            last = wrong["stack_trace"].strip().splitlines()[-1]
            raise NightshelfError(f"Airflow can't read {wrong['filename']}: {last}")
        return bool(self._get("/dags", dag_id_pattern="nightly")["dags"])

    def under_way(self) -> str | None:
        """The id of a run that waits or runs already, such as one that was interrupted."""
        return self._latest(state=["running", "queued"])

    def succeeded_since(self, moment: dt.datetime) -> bool:
        """Whether a run that ended after the moment was a success."""
        return self._latest(state=["success"], end_date_gte=moment.isoformat()) is not None

    def trigger(self) -> str:
        """The id of a new run."""
        return str(
            self._ask("POST", "/api/v2/dags/nightly/dagRuns", json={"logical_date": None})["dag_run_id"]
        )

    def unpause(self) -> None:
        """Lets the DAG's runs start."""
        self._ask("PATCH", "/api/v2/dags/nightly", json={"is_paused": False})

    def state(self, run: str) -> str:
        """The run's state."""
        return str(self._get(f"/dags/nightly/dagRuns/{run}")["state"])

    def tasks(self, run: str) -> list[dict[str, Any]]:
        """The run's task instances."""
        return list(self._pages(f"/dags/nightly/dagRuns/{run}/taskInstances"))

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        seen, total = 0, 1
        while seen < total:
            page = self._get(path, limit=PAGE, offset=seen)
            yield from page["task_instances"]
            seen, total = seen + PAGE, page["total_entries"]

    def _latest(self, **query: Any) -> str | None:
        runs = self._get("/dags/nightly/dagRuns", limit=1, order_by="-run_after", **query)["dag_runs"]
        return runs[0]["dag_run_id"] if runs else None

    def _get(self, path: str, **query: Any) -> Any:
        return PATIENTLY(self._ask, "GET", f"/api/v2{path}", params=query)

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        try:
            return self.http.request(method, path, **request).raise_for_status().json()
        except httpx.HTTPStatusError as error:
            answer = str(error.response.status_code)
        except httpx.TransportError as error:
            answer = type(error).__name__
        raise NightshelfError(f"Airflow at {self.http.base_url} answers {answer} to {method} {path}")
