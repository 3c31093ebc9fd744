"""What a nightly run trains and evaluates on: the tables that it pinned, cut in time."""

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
    """All interactions of a nightly run, its products, and where its windows begin and end."""

    known: Interactions
    products: pa.Table
    cut: Windows


def load(night: Night) -> NightData:
    """Returns a nightly run's data; raises NightshelfError where the history is too short to cut."""
    products = pins.read(night, tables.PRODUCTS)
    rows = tables.read_path(pins.path(night, tables.INTERACTIONS), coded=IDS)
    known = interactions(rows, products[c.PRODUCT].to_pylist())
    return NightData(known, products, windows(known, night.as_of, settings.load().horizon_days))
