"""The log of pulls below raw/: what each brought, and how far its source was read then.

A pull is a table of its own, and its mark a file of the same version: both are seen together or not
at all. Of an order that several pulls brought, the newest version stands, whole.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pydantic import BaseModel

from pipelines import columns as c
from pipelines.extract.source import Position
from pipelines.extract.staging import RAW_ORDERS
from pipelines.lake import files as place
from pipelines.lake import tables as lake

MARK = "_mark.json"  # Arrow and Spark leave names with an underscore alone
FULL, PULL = "full", "pull"
BATCH_ROWS = 100_000
VERSION = [c.EXTRACTED_AT, c.PAGE]
CONTENT = [c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE]
CONTENT += [c.NAME, c.CATEGORY, c.BRAND, c.WEIGHT, c.GROUP]


class Watermark(BaseModel):
    """How far a source was read by a pull."""

    id: str  # of the staging that it was made of
    started: dt.datetime
    last_day: dt.date  # the latest day of an order so far
    reached: Position
    full: bool

    def tells(self, other: "Watermark") -> bool:
        """Whether another mark says nothing new."""
        return (self.last_day, self.reached) == (other.last_day, other.reached)


def pulls(source: str) -> list[str]:
    """The tables of a source's pulls, oldest first, from the last full one on."""
    folder = lake.RAW_ORDERS.format(source=source)
    found = sorted(lake.entries(folder), key=lambda name: name.partition("=")[2])
    whole = [f"{folder}/{name}" for name in found if lake.exists(f"{folder}/{name}")]
    full = [place for place, table in enumerate(whole) if table.startswith(f"{folder}/{FULL}=")]
    return whole[full[-1] :] if full else whole


def watermark(source: str) -> Watermark | None:
    """The mark that the last pull left; None where there is none yet."""
    tables = pulls(source)
    return _mark(tables[-1]) if tables else None


def append(source: str, left: Watermark, pages: Iterable[pa.Table]) -> int:
    """The number of rows written as one more pull; a full one takes the place of all before it.

    A pull that brought nothing and came no further than the one before leaves no trace.
    """
    before = pulls(source)
    rows = (page for page in pages if page.num_rows)
    first = next(rows, None)
    if first is None and before and not left.full and _mark(before[-1]).tells(left):
        return 0
    kind = FULL if left.full else PULL
    table = f"{lake.RAW_ORDERS.format(source=source)}/{kind}={left.started:%Y%m%dT%H%M%S.%f}"
    written = 0

    def save(url: str) -> None:
        nonlocal written
        fs, path = place.folder_at(url)
        with (
            fs.open(f"{path}/part-0.parquet", "wb") as file,
            pq.ParquetWriter(file, RAW_ORDERS) as parquet,
        ):
            for batch in batches(chain([first] if first else [], rows)):
                parquet.write_table(batch)
                written += batch.num_rows
        fs.pipe_file(f"{path}/{MARK}", left.model_dump_json().encode())

    lake.replace(table, save)
    for old in set(before) - {table} if left.full else ():
        lake.remove(old)
    return written


def read(tables: list[str], columns: list[str], rows: pc.Expression | None = None) -> pa.Table:
    """Columns of pulls, of all rows or of those that the expression picks."""
    found = [_dataset(table).to_table(columns=columns, filter=rows) for table in tables]
    return pa.concat_tables(found) if found else RAW_ORDERS.empty_table().select(columns)


def extent(tables: list[str]) -> tuple[int, dt.datetime]:
    """How many rows pulls hold, and when the newest was extracted."""
    rows, newest_versions = 0, []
    for table in tables:
        for batch in _dataset(table).to_batches(columns=[c.EXTRACTED_AT]):
            rows += batch.num_rows
            newest_versions += [pc.max(batch[c.EXTRACTED_AT]).as_py()] if batch.num_rows else []
    return rows, max(newest_versions)


def customers() -> list[str]:
    """The ids of all customers of all sources, as received."""
    folder = lake.RAW_ORDERS.partition("/source=")[0]
    found: set[str] = set()
    for source in lake.entries(folder):
        for table in pulls(source.removeprefix("source=")):
            found |= set(read([table], [c.CUSTOMER])[c.CUSTOMER].unique().to_pylist())
    return sorted(found - {None})


def order_hashes(source: str) -> "np.ndarray[Any, Any]":
    """The hashes of the ids of all orders known, distinct and ascending; as Python hashes a text now."""
    ids = read(pulls(source), [c.ORDER_ID])[c.ORDER_ID].unique()
    return np.unique(np.array([hash(one.as_py()) for one in ids], np.int64))


def changed_orders(source: str, staged: Callable[[], Iterable[pa.Table]]) -> Iterator[pa.Table]:
    """What is staged, without those orders that say what the newest version known says already.

    staged: iterates over what is staged, each time from the beginning.
    """
    now = _digests(staged())
    known = pc.field(c.ORDER_ID).isin(pa.array(now.index, pa.string()))
    before = newest_versions(read(pulls(source), [*CONTENT, c.SOURCE, *VERSION], known).to_pandas())
    then = _digests([pa.Table.from_pandas(before, preserve_index=False)])
    both = now.index.intersection(then.index)
    same = pa.array(both[now[both].to_numpy() == then[both].to_numpy()], pa.string())
    for rows in staged():
        yield rows.filter(pc.invert(pc.is_in(rows[c.ORDER_ID], same)))


def newest_versions(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each order's newest version; without an order id, those of their file's last reading."""
    inverse = rows.sort_values(VERSION, ascending=False)
    orders = inverse.dropna(subset=c.ORDER_ID).drop_duplicates(c.ORDER_ID)[[c.ORDER_ID, *VERSION]]
    files = inverse.drop_duplicates(c.SOURCE)[[c.SOURCE, *VERSION]]
    anonymous = rows[rows[c.ORDER_ID].isna()].merge(files, on=[c.SOURCE, *VERSION])
    return pd.concat([rows.merge(orders, on=[c.ORDER_ID, *VERSION]), anonymous])


def batches(pages: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The pages together in tables of about 100,000 rows."""
    held: list[pa.Table] = []
    for page in pages:
        held.append(page)
        if sum(one.num_rows for one in held) >= BATCH_ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def _digests(tables: Iterable[pa.Table]) -> "pd.Series[Any]":
    """A number per order id that tells what all its lines on the last page that holds it say together."""
    found = [_lines(rows.select([*CONTENT, c.PAGE]).to_pandas()) for rows in batches(tables)]
    on_pages = pd.concat(found).groupby(level=[0, 1]).sum() if found else pd.Series([], [[], []], np.uint64)
    digests: pd.Series[Any] = on_pages.groupby(level=0).last()
    return digests


def _lines(rows: pd.DataFrame) -> "pd.Series[Any]":
    lines = pd.util.hash_pandas_object(rows[CONTENT], index=False).to_numpy()
    return pd.Series(lines, [rows[c.ORDER_ID], rows[c.PAGE]])


def _dataset(table: str) -> ds.Dataset:
    fs, path = place.at(lake.current(table))
    return ds.dataset(path, schema=RAW_ORDERS, filesystem=fs, format="parquet")


def _mark(table: str) -> Watermark:
    fs, path = place.at(lake.current(table))
    return Watermark.model_validate(json.loads(fs.cat_file(f"{path}/{MARK}")))
