"""The parameters of a nightly run, small enough to pass between tasks."""

import datetime as dt

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
    run_id: str = ""  # the parent run in MLflow
