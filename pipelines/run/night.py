"""One night: what it was asked to do, small enough to travel between tasks."""

import datetime as dt

from pydantic import BaseModel, ConfigDict

from pipelines.choices import Solver, SourceName


class Night(BaseModel):
    """A nightly run, as if at the end of the day `as_of`: nothing later is seen."""

    model_config = ConfigDict(frozen=True)

    as_of: dt.date
    source: SourceName
    path: str
    mapping: str
    full: bool = False  # whether the source is read from its beginning
    sweep: str
    solver: Solver
    let_pass: str = ""  # why validation lets the night pass, if a person decided so
    dag_run: str = ""  # Airflow's name for it, where Airflow runs it
    run_id: str = ""  # the parent run in MLflow
