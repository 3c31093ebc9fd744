"""The DAG `nightly` as Airflow's REST API shows it: trigger a run, follow its tasks."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import httpx

from serving.errors import NightshelfError

PAGE = 100


class Nights:
    """The runs of `nightly`; raises NightshelfError where Airflow refuses the password."""

    def __init__(self, url: str, password: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30)
        answer = self.http.post("/auth/token", json={"username": "admin", "password": password})
        if answer.status_code != httpx.codes.CREATED:
            raise NightshelfError(
                f"Airflow refuses the user admin ({answer.status_code}): is another Airflow on {url}?"
            )
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def known(self) -> bool:
        """Whether Airflow has read the DAG; raises NightshelfError with the error where it can't."""
        for wrong in self._get("/importErrors")["import_errors"]:
            last = wrong["stack_trace"].strip().splitlines()[-1]
            raise NightshelfError(f"Airflow can't read {wrong['filename']}: {last}")
        return self.http.get("/api/v2/dags/nightly").is_success

    def under_way(self) -> str | None:
        """The id of a run that waits or runs already, such as one that was interrupted."""
        return self._first(state=["running", "queued"])

    def succeeded_since(self, moment: dt.datetime) -> bool:
        """Whether a run that ended after the moment was a success."""
        return self._first(state=["success"], end_date_gte=moment.isoformat()) is not None

    def trigger(self) -> str:
        """The id of a new run."""
        return str(self._send("POST", "/dags/nightly/dagRuns", {"logical_date": None})["dag_run_id"])

    def unpause(self) -> None:
        """Lets the DAG's runs start."""
        self._send("PATCH", "/dags/nightly", {"is_paused": False})

    def state(self, run: str) -> str:
        """The run's state."""
        return str(self._get(f"/dags/nightly/dagRuns/{run}")["state"])

    def tasks(self, run: str) -> list[dict[str, Any]]:
        """The run's task instances."""
        return list(self._pages(f"/dags/nightly/dagRuns/{run}/taskInstances"))

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while rows := self._get(path, limit=PAGE, offset=offset)["task_instances"]:
            yield from rows
            offset += PAGE

    def _first(self, **query: Any) -> str | None:
        runs = self._get("/dags/nightly/dagRuns", limit=1, order_by="-run_after", **query)["dag_runs"]
        return runs[0]["dag_run_id"] if runs else None

    def _get(self, path: str, **query: Any) -> Any:
        return self._json(self.http.get(f"/api/v2{path}", params=query))

    def _send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        return self._json(self.http.request(method, f"/api/v2{path}", json=body))

    def _json(self, answer: httpx.Response) -> Any:
        if not answer.is_success:
            raise NightshelfError(f"Airflow answers {answer.status_code} for {answer.url.path}: see its log")
        return answer.json()
