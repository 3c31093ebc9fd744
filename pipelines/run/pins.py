"""The tables of a night as that night wrote them, whatever another night does meanwhile."""

import pyarrow as pa

from pipelines.lake import tables
from pipelines.run import tracking
from pipelines.run.night import Night

PREFIX = "table."


def pin(night: Night, *names: str) -> None:
    """Notes in the night's run which versions of tables it wrote."""
    tracking.log(night.run_id, tags={f"{PREFIX}{table}": tables.current_version(table) for table in names})


def path(night: Night, table: str) -> str:
    """Where the night's version of a table lies; raises NightshelfError where it was replaced twice since."""
    return tables.version_path(table, tracking.tag(night.run_id, f"{PREFIX}{table}") or "")


def read(night: Night, table: str) -> pa.Table:
    """The night's version of a table, in memory; raises as `path`."""
    return tables.read_path(path(night, table))


def own(night: Night, table: str) -> str:
    """The name of a table that each night has for itself."""
    return table.format(day=night.as_of, run=night.run_id)
