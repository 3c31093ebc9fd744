"""Tables of rows as readers yield them: the source's columns as strings, ROW, and ROW_FAULT."""

import logging
import re
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract.mapping import Mapping
from pipelines.extract.records import NUMERIC, ROW, ROW_FAULT

log = logging.getLogger(__name__)

BATCH_ROWS = 100_000
EXACT_INTEGERS = 2.0**53  # float64 represents all integers below this exactly
# How a cell names a row of totals, in the languages of shops.
TOTAL = (
    r"(?i)^\W*(grand[ -]?|sub[ -]?)?(totals?|sums?|summen?|gesamt|gesamtsumme|gesamtbetrag|zwischensumme"
    r"|total général|totale|totaal|suma|razem|итого|всего|toplam|celkem|yhteensä|summa|合計|总计)\W*$"
)
Mask = np.ndarray[Any, np.dtype[np.bool_]]
TOTAL_CELL = re.compile(TOTAL)


def table(columns: list[str], values: dict[str, pa.Array], numeric: frozenset[str] = frozenset()) -> pa.Table:
    """Returns the values as a table of these columns and ROW; columns without values are null.

    numeric: the columns whose numbers have a decimal point for certain, as typed formats write them.
    """
    rows = len(values[ROW])
    arrays = [values[name] if name in values else pa.nulls(rows, pa.string()) for name in columns]
    return pa.table([*arrays, values[ROW]], schema(columns, numeric))


def faulty(columns: list[str], faults: dict[int, str]) -> pa.Table:
    """Returns a row per unreadable row: its number and its fault, and null in all other columns."""
    records = [{ROW: number, ROW_FAULT: fault} for number, fault in faults.items()]
    return pa.Table.from_pylist(records, schema(columns).append(pa.field(ROW_FAULT, pa.string())))


def is_faulty(table: pa.Table) -> bool:
    """Returns whether a table holds unreadable rows."""
    return ROW_FAULT in table.column_names and table[ROW_FAULT].null_count < table.num_rows


def is_note(text: str, delimiter: str) -> bool:
    """Returns whether a row with the wrong number of cells is a note or a total that belongs to no order.

    >>> is_note("Total;97.50", ";"), is_note("12 orders exported", ";"), is_note("1001;2026-0", ";")
    (True, True, False)
    """
    cells = [cell.strip(" \t\"'") for cell in text.split(delimiter)]
    filled = [cell for cell in cells if cell]
    is_sentence = len(filled) == 1 and bool(re.search(r"[^\W\d]{2,} | [^\W\d]{2,}", filled[0]))
    return not filled or is_sentence or any(map(TOTAL_CELL.match, filled))


def as_text(values: pa.Array) -> pa.Array:
    """Returns values as strings.

    Integral floats have no decimal point: ids are floats in files where some are missing.
    """
    if not pa.types.is_floating(values.type):
        return values.cast(pa.string())
    values = pc.if_else(pc.is_nan(values), None, values)
    integral = pc.and_(pc.equal(values, pc.trunc(values)), pc.less(pc.abs(values), EXACT_INTEGERS))
    integers = pc.if_else(integral, values, 0).cast(pa.int64()).cast(pa.string())
    return pc.if_else(integral, integers, values.cast(pa.string()))


def is_number(kind: pa.DataType) -> bool:
    """Returns whether values of a type are numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def schema(columns: list[str], numeric: frozenset[str] = frozenset()) -> pa.Schema:
    """Returns the schema of a table of these columns and ROW."""
    fields = [pa.field(name, pa.string(), metadata=NUMERIC if name in numeric else None) for name in columns]
    return pa.schema([*fields, pa.field(ROW, pa.int64())])


class Totals:
    """Removes rows of totals from tables that were made for people, and counts them."""

    def __init__(self, mapping: Mapping, name: str) -> None:
        self.times = mapping.in_file(c.ORDERED_AT)
        ids = [column for ours in (c.ORDER_ID, c.CUSTOMER, c.PRODUCT) for column in mapping.in_file(ours)]
        self.ids = {*ids} - {*self.times}
        self.name, self.count = name, 0

    def without(self, rows: pa.Table) -> pa.Table:
        """Returns the rows that have a time, or an id that isn't just a word such as Total."""
        if not self.times or not {*self.times, *self.ids} <= {*rows.column_names}:
            return rows
        if all(rows[name].null_count == 0 for name in self.times):
            return rows
        is_total = reduce(np.logical_and, (blank(rows[name]) for name in self.times))
        if not is_total.any():
            return rows
        for name in self.ids:
            is_total &= blank(rows[name]) | _is_word(rows[name])
        self.count += int(is_total.sum())
        return rows.filter(pa.array(~is_total))

    def log(self) -> None:
        """Logs how many rows were passed over."""
        if self.count:
            log.warning("%s: passed over %d rows of totals or notes", self.name, self.count)


def blank(column: pa.ChunkedArray) -> Mask:
    """Returns a mask of the values that are null or hold spaces only."""
    filled = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(column), ""), False)
    return ~np.asarray(filled.to_numpy())


def _is_word(column: pa.ChunkedArray) -> Mask:
    return np.asarray(pc.fill_null(pc.match_substring_regex(column, TOTAL), False).to_numpy())
