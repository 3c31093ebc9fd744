"""Turns nested orders, as JSON from shops' APIs and documents of databases hold them, into rows of text."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

# What a row of a source carries beside the source's own columns; no source has columns of these names.
ROW = "@row"  # int64: its number, unique among the lines of its order
ROW_FAULT = "@fault"  # why it can't be read; null if it can
ROW_SOURCE = "@source"  # the file or page that holds it
NUMERIC = {b"numeric": b"yes"}  # of a field: its numbers have a decimal point and no separated thousands
PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")

Record = dict[str, Any]
UNREADABLE = "is not an object of plain values"


def to_rows(records: Iterable[tuple[int, Any]], columns: list[str], lines: str | None) -> pa.Table:
    """Returns a row per order line: the values at the paths `columns` as strings, ROW and ROW_FAULT.

    records: the number of each record in its source, and the record. A record that is no object, or that
    holds an object or a list where a plain value belongs, becomes one row with a fault.
    columns: paths such as billing.email. A path that begins with `lines`, the path of the list of an order's
    lines, is of the line. A number in a path is an index: payments.0.method.
    An order without lines becomes one row with null in the line's columns, so that it replaces its earlier
    version.
    """
    rows: list[dict[str, Any]] = []
    for number, record in records:
        try:
            rows += _rows_of(record, number, columns, lines)
        except (TypeError, AttributeError, UnicodeEncodeError):
            rows.append({ROW: number, ROW_FAULT: UNREADABLE})
    fields = [pa.field(name, pa.string(), metadata=_metadata(rows, name)) for name in columns]
    schema = pa.schema([*fields, pa.field(ROW_FAULT, pa.string()), pa.field(ROW, pa.int64())])
    return pa.Table.from_pylist(rows, schema)


def _metadata(rows: list[dict[str, Any]], column: str) -> dict[bytes, bytes] | None:
    """Returns NUMERIC if all values are plain numbers: formats for machines write them with a point."""
    values = (row.get(column) for row in rows)
    return NUMERIC if all(PLAIN_NUMBER.fullmatch(value) for value in values if value) else None


def _rows_of(record: Record, number: int, columns: list[str], lines: str | None) -> list[dict[str, Any]]:
    if not isinstance(record, dict):
        raise TypeError
    if lines is None:
        return [{name: plain_text(value_at(record, name)) for name in columns} | {ROW: number}]
    prefix = f"{lines}."
    of_order = {name: plain_text(value_at(record, name)) for name in columns if not name.startswith(prefix)}
    of_line = [name for name in columns if name.startswith(prefix)]
    return [
        of_order
        | {name: plain_text(value_at(item, name.removeprefix(prefix))) for name in of_line}
        | {ROW: index}
        for index, item in enumerate(value_at(record, lines) or [{}])
    ]


def value_at(record: Any, path: str) -> Any:
    """Returns the value at a path of keys and indices joined by points; None where the path ends early.

    >>> value_at({"payments": [{"method": "card"}]}, "payments.0.method")
    'card'
    """
    if isinstance(record, dict) and path in record:
        return record[path]
    value = record
    for step in path.split("."):
        if isinstance(value, list):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        else:
            value = None if value is None else value.get(step)
    return value


def has_path(record: Any, path: str, lines: str | None) -> bool:
    """Returns whether a record, or one of its lines for a path of lines, has a value or null at it."""
    prefix = f"{lines}."
    if lines is not None and path.startswith(prefix):
        items = value_at(record, lines)
        rest = path.removeprefix(prefix)
        return isinstance(items, list) and any(has_path(item, rest, None) for item in items)
    if isinstance(record, dict) and path in record:
        return True
    parent, _, key = path.rpartition(".")
    try:
        holder = value_at(record, parent) if parent else record
    except AttributeError:
        return False
    return key in holder if isinstance(holder, dict) else isinstance(holder, list)


def plain_text(value: Any) -> str | None:
    """Returns a plain value as text, null as None; raises TypeError for an object or a list."""
    if isinstance(value, dict | list):
        raise TypeError
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return json.dumps(value)
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    text.encode()  # raises for a lone surrogate
    return text
