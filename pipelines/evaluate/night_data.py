"""The data that a nightly run trains and evaluates on: its pinned tables, cut in time."""

from typing import NamedTuple

import pyarrow as pa

from pipelines import columns as c
from pipelines.evaluate import settings
from pipelines.evaluate.windows import Windows, windows
from pipelines.lake import tables
from pipelines.prepare.interactions import IDS, Interactions, interactions
from pipelines.run import pins
from pipelines.run.night import Night


class NightData(NamedTuple):
    """All interactions and products of a nightly run, and the last days of its windows."""

    known: Interactions
    products: pa.Table
    cut: Windows


def load(night: Night) -> NightData:
    """Returns a nightly run's data; raises NightshelfError if the history is too short to cut."""
    paths = [pins.path(night, table) for table in (tables.INTERACTIONS, tables.PRODUCTS)]
    rows, products = tables.read_path(paths[0], coded=IDS), tables.read_path(paths[1])
    known = interactions(rows, products[c.PRODUCT].to_pylist(), digest=" ".join(paths))
    return NightData(known, products, windows(known, night.as_of, settings.load().horizon_days))
