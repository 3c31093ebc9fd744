"""Tables of rows as readers yield them: the source's columns as strings, ROW, and ROW_FAULT."""

import logging
import re

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.extract.records import NUMERIC, ROW, ROW_FAULT

log = logging.getLogger(__name__)

BATCH_ROWS = 100_000
EXACT_INTEGERS = 2.0**53  # float64 represents all integers below this exactly
# How a cell names a row of totals, in the languages of shops.
TOTAL = (
    r"(?i)^\W*(grand[ -]?|sub[ -]?)?(totals?|sums?|summen?|gesamt|gesamtsumme|gesamtbetrag|zwischensumme"
    r"|total général|totale|totaal|suma|razem|итого|всего|toplam|celkem|yhteensä|summa|合計|总计)\W*$"
)
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


def log_passed_over(count: int, name: str) -> None:
    """Logs how many rows of a file are no order lines."""
    if count:
        log.warning("%s: passed over %d rows that are notes or totals, not order lines", name, count)
