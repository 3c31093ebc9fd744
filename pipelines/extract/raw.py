"""The log of pulls below raw/: the order lines of each pull, and how far the pull read its source.

Each pull is a table, and its watermark is a file of the same version, so that both become visible together.
If several pulls hold an order, its newest version counts (versions.py).
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pydantic import BaseModel

from pipelines import columns as c
from pipelines.extract.source import Position
from pipelines.extract.staging import RAW_ORDERS
from pipelines.lake import files, tables

WATERMARK = "_mark.json"  # Arrow and Spark ignore names that begin with an underscore
FULL, PULL = "full", "pull"  # how the folder of a pull begins
BATCH_ROWS = 100_000
VERSION = [c.EXTRACTED_AT, c.PAGE]  # the higher, the newer


class Watermark(BaseModel):
    """How far a pull read its source."""

    id: str  # of the staging that the pull was made from
    started: dt.datetime
    last_day: dt.date  # the latest day of an order so far
    reached: Position
    full: bool
    read_as: str = ""  # digest of the mapping that the rows were read by; empty in older pulls
    missing: int = 0  # orders of earlier files that the newest full dump lacks

    def same_position(self, other: "Watermark") -> bool:
        """Returns whether both watermarks have the same last day and position."""
        return (self.last_day, self.reached) == (other.last_day, other.reached)


def pulls(source: str) -> list[str]:
    """Returns the tables of a source's pulls, oldest first, from the last full pull on."""
    folder = tables.RAW_ORDERS.format(source=source)
    names = sorted(tables.entries(folder), key=lambda name: name.partition("=")[2])
    written = [f"{folder}/{name}" for name in names if tables.exists(f"{folder}/{name}")]
    full = [index for index, table in enumerate(written) if table.startswith(f"{folder}/{FULL}=")]
    return written[full[-1] :] if full else written


def watermark(source: str) -> Watermark | None:
    """Returns the watermark of the last pull, or None before the first."""
    written = pulls(source)
    return _read_watermark(written[-1]) if written else None


def watermarks(source: str) -> list[Watermark]:
    """Returns the watermarks of all pulls that count, oldest first."""
    return [_read_watermark(table) for table in pulls(source)]


def append(source: str, new: Watermark, pages: Iterable[pa.Table]) -> int:
    """Writes one more pull, and returns its number of rows; a full pull replaces all earlier ones.

    A pull without rows that has the position of the pull before it is not written.
    """
    before = pulls(source)
    filled = (page for page in pages if page.num_rows)
    first = next(filled, None)
    if first is None and before and not new.full and _read_watermark(before[-1]).same_position(new):
        return 0
    kind = FULL if new.full else PULL
    table = f"{tables.RAW_ORDERS.format(source=source)}/{kind}={new.started:%Y%m%dT%H%M%S.%f}"
    written = 0

    def save(url: str) -> None:
        nonlocal written
        fs, path = files.make_folder(url)
        with (
            fs.open(f"{path}/part-0.parquet", "wb") as file,
            pq.ParquetWriter(file, RAW_ORDERS) as parquet,
        ):
            for batch in batches(chain([first] if first else [], filled)):
                parquet.write_table(batch)
                written += batch.num_rows
        fs.pipe_file(f"{path}/{WATERMARK}", new.model_dump_json().encode())

    tables.replace(table, save)
    for old in set(before) - {table} if new.full else ():
        tables.remove(old)
    return written


def read(pull_tables: list[str], columns: list[str], condition: pc.Expression | None = None) -> pa.Table:
    """Returns these columns of pulls: of all rows, or of the rows that meet the condition."""
    parts = [_dataset(table).to_table(columns=columns, filter=condition) for table in pull_tables]
    return pa.concat_tables(parts) if parts else RAW_ORDERS.empty_table().select(columns)


def extent(pull_tables: list[str]) -> tuple[int, dt.datetime]:
    """Returns the number of rows in pulls, and when the newest row was extracted."""
    rows, newest = 0, []
    for table in pull_tables:
        for batch in _dataset(table).to_batches(columns=[c.EXTRACTED_AT]):
            rows += batch.num_rows
            newest += [pc.max(batch[c.EXTRACTED_AT]).as_py()] if batch.num_rows else []
    return rows, max(newest)


def sources() -> list[str]:
    """Returns the names of all sources with a folder in raw/, in ascending order."""
    folder = tables.RAW_ORDERS.partition("/source=")[0]
    return [name.removeprefix("source=") for name in tables.entries(folder)]


def customers(source: str) -> list[str]:
    """Returns the ids of all customers of a source, as received, in ascending order."""
    ids: set[str] = set()
    for table in pulls(source):
        ids |= set(read([table], [c.CUSTOMER])[c.CUSTOMER].unique().to_pylist())
    return sorted(ids - {None})


def order_hashes(source: str) -> "np.ndarray[Any, Any]":
    """Returns the distinct hashes of all order ids in raw/: int64, shape (orders,), ascending.

    The hashes are Python's hashes of strings, which differ from process to process.
    """
    ids = read(pulls(source), [c.ORDER_ID])[c.ORDER_ID].unique()
    return np.unique(np.array([hash(order_id.as_py()) for order_id in ids], np.int64))


def batches(pages: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yields the pages, concatenated to tables of about 100,000 rows."""
    pending: list[pa.Table] = []
    for page in pages:
        pending.append(page)
        if sum(table.num_rows for table in pending) >= BATCH_ROWS:
            yield pa.concat_tables(pending)
            pending = []
    if pending:
        yield pa.concat_tables(pending)


def _dataset(table: str) -> ds.Dataset:
    fs, path = files.resolve(tables.current_path(table))
    return ds.dataset(path, schema=RAW_ORDERS, filesystem=fs, format="parquet")


def _read_watermark(table: str) -> Watermark:
    fs, path = files.resolve(tables.current_path(table))
    return Watermark.model_validate(json.loads(fs.cat_file(f"{path}/{WATERMARK}")))
