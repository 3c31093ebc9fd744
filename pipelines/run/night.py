"""The parameters of a nightly run, small enough to pass between tasks."""

import datetime as dt
from typing import TypedDict

from pydantic import BaseModel, ConfigDict

from pipelines.choices import Solver, SourceName


class Night(BaseModel):
    """The parameters of a nightly run; it reads nothing later than the day `as_of`."""

    model_config = ConfigDict(frozen=True)

    as_of: dt.date
    source: SourceName
    path: str
    mapping: str
    full: bool = False  # whether the whole source is read again
    sweep: str
    solver: Solver
    let_pass: str = ""  # reason given by a person who lets the run pass validation
    dag_run: str = ""  # Airflow's id of the run, if Airflow runs it
    run_id: str = ""  # the parent run in MLflow; empty for a check of the source, which is not recorded


class RunOptions(TypedDict, total=False):
    """Options of a nightly run; the settings supply options that are missing or empty."""

    as_of: str | None  # last day, as 2026-01-31; by default the source's last day
    source: str | None
    path: str | None
    mapping: str | None
    sweep: str | None
    solver: str | None
    full: bool
    let_pass: str | None
    dag_run: str | None
