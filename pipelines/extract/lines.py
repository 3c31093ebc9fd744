"""Turns the rows of any source into order lines, as a mapping says."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract import amounts
from pipelines.extract.amounts import NUMBERS
from pipelines.extract.leaving_out import left_out
from pipelines.extract.mapping import Mapping
from pipelines.extract.mapping_tables import Column, Joined, alternatives
from pipelines.extract.notation import numbers, times
from pipelines.extract.notation.numbers import DecimalSign
from pipelines.extract.records import NUMERIC, ROW, ROW_FAULT, ROW_SOURCE

KEY_SEPARATOR = "/"  # between the parts of a joined column
TIMES = (c.ORDERED_AT, c.CHANGED_AT)
ORIGIN = {c.LINE: ROW, c.FAULT: ROW_FAULT, c.SOURCE: ROW_SOURCE}


@dataclass(frozen=True)
class Notation:
    """How a source writes times and numbers."""

    times: tuple[str, ...]
    decimal: DecimalSign


def order_lines(tables: Iterable[pa.Table], mapping: Mapping, description: str) -> Iterator[pa.Table]:
    """Yields the rows of one file or page as order lines, in columns of RAW_ORDERS.

    tables: the source's columns as strings, and ROW, ROW_FAULT and ROW_SOURCE, which are passed on.
    description: names the file or page in messages.
    Raises NightshelfError if the notation of times or numbers is ambiguous and the mapping doesn't state it.
    """
    formats = mapping.times
    signs = numbers.DecimalSigns(description)
    for rows in tables:
        formats = formats or _recognised_times(rows, mapping, description)
        decimal = mapping.decimal or signs.recognise(
            [_value(rows, column) for column in _texts(rows, mapping)]
        )
        yield _order_lines(rows, mapping, formats or (times.ISO,), decimal)


def recognise(rows: pa.Table, mapping: Mapping, description: str) -> Notation:
    """Returns the notation that the mapping states, or else the one that these rows show.

    Raises NightshelfError if the rows could be read in several ways.
    """
    formats = mapping.times or _recognised_times(rows, mapping, description) or (times.ISO,)
    written = [_value(rows, column) for column in _texts(rows, mapping)]
    return Notation(formats, mapping.decimal or numbers.recognise_decimal(written, description))


def _recognised_times(rows: pa.Table, mapping: Mapping, description: str) -> tuple[str, ...]:
    """Returns the format of the rows' times, none if no row has a time."""
    values = _value(rows, mapping.columns[c.ORDERED_AT])
    return times.recognise_times(values, description) if values.null_count < len(values) else ()


def times_of(rows: pa.Table, mapping: Mapping) -> pa.ChunkedArray:
    """Returns the times of orders as the source wrote them."""
    return _value(rows, mapping.columns[c.ORDERED_AT])


def _texts(rows: pa.Table, mapping: Mapping) -> list[Column]:
    """Returns the columns of numbers that are written as text, in which the decimal sign may vary."""
    columns = [mapping.columns[name] for name in NUMBERS if name in mapping.columns]
    return [column for column in columns if not _is_numeric(rows, column)]


def _is_numeric(rows: pa.Table, column: Column) -> bool:
    fields = [rows.schema.field(name) for name in alternatives(column)]
    return all(field.metadata == NUMERIC for field in fields)


def _order_lines(
    rows: pa.Table, mapping: Mapping, formats: tuple[str, ...], decimal: DecimalSign
) -> pa.Table:
    lines = {name: _value(rows, column) for name, column in mapping.columns.items()}
    lines |= {name: times.to_iso(lines[name], formats) for name in TIMES if name in lines}
    for name in NUMBERS:
        if name in lines and not _is_numeric(rows, mapping.columns[name]):
            lines[name] = numbers.to_plain(lines[name], decimal)
    if c.QUANTITY not in lines:
        # Without a product, too, where only the times are read for the day of the last order.
        lines[c.QUANTITY] = amounts.one_piece(lines.get(c.PRODUCT, lines[c.ORDERED_AT]))
    lines |= amounts.returned(rows, lines, mapping)
    rate = amounts.rate(rows, mapping)
    lines[c.UNIT_PRICE] = amounts.unit_price(lines, 10**mapping.minor_units, rate)
    lines.pop(c.AMOUNT, None)
    lines[c.LEFT_OUT] = left_out(rows, mapping, rate)
    return pa.table(lines | _origin(rows, mapping))


def _origin(rows: pa.Table, mapping: Mapping) -> dict[str, pa.ChunkedArray]:
    """Returns LINE, FAULT and SOURCE of rows that have ROW, ROW_FAULT and ROW_SOURCE, or already these."""
    own = {ours: theirs for ours, theirs in ORIGIN.items() if theirs in rows.column_names}
    named = {name: name for name in {*ORIGIN} - {*own, *mapping.source_columns} if name in rows.column_names}
    return {ours: rows[theirs] for ours, theirs in (own | named).items()}


def _value(rows: pa.Table, column: Column) -> pa.ChunkedArray:
    """Returns one of our columns: the first alternative that isn't blank, or several joined.

    What is joined is null if one of its parts is blank.
    """
    if isinstance(column, Joined):
        parts = [_value(rows, part) for part in column.join]
    else:
        parts = [rows[name] for name in alternatives(column)]
    if len(parts) == 1:
        return parts[0]
    filled = [pc.if_else(pc.not_equal(pc.utf8_trim_whitespace(part), ""), part, None) for part in parts]
    if isinstance(column, Joined):
        return pc.binary_join_element_wise(*filled, KEY_SEPARATOR)
    return pc.coalesce(*filled)
