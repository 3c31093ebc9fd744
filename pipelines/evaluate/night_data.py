"""The data that a nightly run trains and evaluates on: its pinned tables, cut in time."""

import datetime as dt
from functools import lru_cache
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
    paths = [pins.path(night, table) for table in (tables.PRODUCTS, tables.INTERACTIONS)]
    return _read(*paths, night.as_of, settings.load().horizon_days)


@lru_cache(maxsize=1)  # steps of one process share it: a version of a table never changes
def _read(products_path: str, interactions_path: str, as_of: dt.date, horizon_days: int) -> NightData:
    rows, products = tables.read_path(interactions_path, coded=IDS), tables.read_path(products_path)
    digest = f"{interactions_path} {products_path}"
    known = interactions(rows, products[c.PRODUCT].to_pylist(), digest)
    return NightData(known, products, windows(known, as_of, horizon_days))
