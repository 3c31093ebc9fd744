"""Pinned versions: a nightly run reads the versions that it wrote, even if another run writes new ones."""

import pyarrow as pa

from pipelines.lake import tables
from pipelines.run import tracking
from pipelines.run.night import Night

PREFIX = "table."


def pin(night: Night, *names: str) -> None:
    """Tags the run with the versions of the tables that it wrote."""
    tracking.log(night.run_id, tags={f"{PREFIX}{table}": tables.current_version(table) for table in names})


def path(night: Night, table: str) -> str:
    """Returns the path of the run's version of a table; raises NightshelfError if it no longer exists."""
    return tables.version_path(table, tracking.tag(night.run_id, f"{PREFIX}{table}") or "")


def read(night: Night, table: str) -> pa.Table:
    """Returns the run's version of a table; raises NightshelfError if it no longer exists."""
    return tables.read_path(path(night, table))


def own_table(night: Night, table: str) -> str:
    """Returns the name of the run's own table; table: a name with the fields {day} and {run}."""
    return table.format(day=night.as_of, run=night.run_id)
