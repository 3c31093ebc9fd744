"""The tables of a night as that night wrote them, whatever another night does meanwhile."""

from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines import columns as c
from pipelines.lake import tables as lake
from pipelines.prepare import interactions
from pipelines.run import tracking
from pipelines.run.night import Night

if TYPE_CHECKING:
    from pipelines.evaluate.windows import Windows
    from pipelines.prepare.interactions import Interactions

PREFIX = "table."


def pin(night: Night, *tables: str) -> None:
    """Notes in the night's run which versions of tables it wrote."""
    tracking.log(night.run_id, tags={f"{PREFIX}{table}": lake.version(table) for table in tables})


def path(night: Night, table: str) -> str:
    """Where the night's version of a table lies; raises NightshelfError where it was replaced twice since."""
    return lake.of_version(table, tracking.tag(night.run_id, f"{PREFIX}{table}") or "")


def read(night: Night, table: str) -> pa.Table:
    """The night's version of a table, in memory; raises as `path`."""
    return lake.read_path(path(night, table))


def own(night: Night, table: str) -> str:
    """The name of a table that each night has for itself."""
    return table.format(day=night.as_of, run=night.run_id)


def known(night: Night) -> "tuple[Interactions, pa.Table, Windows]":
    """All interactions of the night, its products, and where its windows begin and end."""
    from pipelines.evaluate import windows
    from pipelines.sweep import space

    products = read(night, lake.PRODUCTS)
    rows = lake.read_path(path(night, lake.INTERACTIONS), coded=interactions.IDS)
    found = interactions.interactions(rows, products[c.PRODUCT].to_pylist())
    return found, products, windows.windows(found, night.as_of, space.load().evaluation.horizon_days)
