"""The layout of rows in files: where a row comes from, and fields on an order's first row only."""

from collections.abc import Iterable, Iterator
from functools import reduce
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract.mapping import Mapping
from pipelines.extract.mapping_tables import FILE, FOLDER
from pipelines.extract.packed import unpacked
from pipelines.extract.readers.documents import Document
from pipelines.extract.readers.rows import Mask, blank, is_faulty
from pipelines.extract.records import ROW, ROW_SOURCE

OF_ORDER = (c.ORDERED_AT, c.CUSTOMER, c.GROUP, c.CHANGED_AT)
OF_LINE = (c.PRODUCT, c.QUANTITY, c.UNIT_PRICE, c.AMOUNT, c.NAME, c.CATEGORY, c.BRAND, c.WEIGHT)
SEPARATOR = "\x1f"

Rows = Iterable[pa.Table]
Indices = np.ndarray[Any, np.dtype[np.int64]]


def laid_out(tables: Rows, document: Document, mapping: Mapping) -> Iterator[pa.Table]:
    """Yields the rows of a document with a row per order line, and all columns that the mapping names."""
    rows = _filled_down(tables, mapping) if mapping.file.fill_down else tables
    if mapping.packed:
        rows = unpacked(rows, mapping.packed, mapping.source_columns)
    origin = {FOLDER: document.folder, FILE: PurePosixPath(document.name).name, ROW_SOURCE: document.name}
    for table in rows:
        yield _with_constants(table, origin)


def _with_constants(rows: pa.Table, values: dict[str, str]) -> pa.Table:
    for name, value in values.items():
        rows = rows.append_column(name, pa.repeat(pa.scalar(value), rows.num_rows))
    return rows


def _filled_down(tables: Rows, mapping: Mapping) -> Iterator[pa.Table]:
    """Yields the rows with the fields of their order, which only the order's first row states.

    A row without an order id belongs to the order of the row above it, unless a row between is unreadable.
    """
    keys = mapping.in_file(c.ORDER_ID)
    rules = [part.column for part in (*mapping.leave_out, mapping.currency, mapping.events) if part]
    of_line = {name for ours in OF_LINE for name in mapping.in_file(ours)}
    fields = {*(name for ours in OF_ORDER for name in mapping.in_file(ours)), *rules} - {*keys} - of_line
    above = None
    for rows in tables:
        if is_faulty(rows) or not rows.num_rows:
            yield rows
            continue
        whole = pa.concat_tables([above, rows]) if above else rows
        whole = _fill(whole, keys, sorted(fields & {*rows.column_names}))
        yield whole.slice(1) if above else whole
        above = whole.slice(whole.num_rows - 1)


def _fill(rows: pa.Table, keys: list[str], fields: list[str]) -> pa.Table:
    """Returns the rows with each order's key and fields in all its rows."""
    has_key = ~reduce(np.logical_and, (blank(rows[name]) for name in keys))
    named = _last_true(has_key)
    gaps = np.cumsum(np.diff(rows[ROW].to_numpy(), prepend=0) != 1)
    belongs = (named >= 0) & (has_key | (gaps == gaps[named]))
    for name in keys:
        rows = _replaced(rows, name, np.where(belongs & ~has_key, named, np.arange(len(named))))
    texts = [pc.fill_null(rows[name], "") for name in keys]
    joined = pc.binary_join_element_wise(*texts, SEPARATOR).combine_chunks()
    is_first = np.concatenate([[True], pc.not_equal(joined[1:], joined[:-1]).to_numpy(zero_copy_only=False)])
    first = _last_true(is_first)
    for name in fields:
        stated = _last_true(~blank(rows[name]))
        rows = _replaced(rows, name, np.where(stated >= first, stated, np.arange(len(first))))
    return rows


def _last_true(mask: Mask) -> Indices:
    """Returns for each row the index of the last true one up to it, -1 if there is none."""
    return np.maximum.accumulate(np.where(mask, np.arange(len(mask)), -1))


def _replaced(rows: pa.Table, name: str, indices: Indices) -> pa.Table:
    position = rows.column_names.index(name)
    return rows.set_column(position, rows.schema.field(name), rows[name].take(pa.array(indices)))
