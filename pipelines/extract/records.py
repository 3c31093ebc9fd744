"""Turns nested orders, as JSON from shops' APIs and documents of databases hold them, into rows of text."""

import json
import math
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# What a row of a source carries beside the source's own columns; no source has columns of these names.
ROW = "@row"  # int64: its number, unique among the lines of its order
ROW_FAULT = "@fault"  # why it can't be read; null if it can
ROW_SOURCE = "@source"  # the file or page that holds it
NUMERIC = {b"numeric": b"yes"}  # of a field: its numbers have a decimal point and no separated thousands
PLAIN_NUMBER = r"\A([+-]?\d+(\.\d+)?([eE][+-]?\d+)?)?\z"

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
    prefix = f"{lines}."
    of_order = {name: name for name in columns if lines is None or not name.startswith(prefix)}
    of_line = {name: name.removeprefix(prefix) for name in columns if name not in of_order}
    rows: list[dict[str, Any]] = []
    for number, record in records:
        try:
            order = _values(record, of_order)
            rows += [order | {ROW: number}] if lines is None else _lines_of(record, order, lines, of_line)
        except (TypeError, AttributeError, UnicodeEncodeError):
            rows.append({ROW: number, ROW_FAULT: UNREADABLE})
    arrays = {name: pa.array((row.get(name) for row in rows), pa.string()) for name in columns}
    fields = [pa.field(name, pa.string(), metadata=_metadata(values)) for name, values in arrays.items()]
    schema = pa.schema([*fields, pa.field(ROW_FAULT, pa.string()), pa.field(ROW, pa.int64())])
    faults = pa.array((row.get(ROW_FAULT) for row in rows), pa.string())
    numbers = pa.array((row[ROW] for row in rows), pa.int64())
    return pa.Table.from_arrays([*arrays.values(), faults, numbers], schema=schema)


def _metadata(values: pa.StringArray) -> dict[bytes, bytes] | None:
    """Returns NUMERIC if all values are plain numbers: formats for machines write them with a point."""
    return NUMERIC if pc.all(pc.match_substring_regex(values, PLAIN_NUMBER), min_count=0).as_py() else None


def _lines_of(
    record: Record, order: dict[str, Any], lines: str, of_line: dict[str, str]
) -> list[dict[str, Any]]:
    items = value_at(record, lines) or [{}]
    return [order | _values(item, of_line) | {ROW: index} for index, item in enumerate(items)]


def _values(record: Record, paths: dict[str, str]) -> dict[str, Any]:
    """Returns the plain values at paths of a record, by name; raises TypeError if it is no object."""
    if not isinstance(record, dict):
        raise TypeError
    return {name: plain_text(value_at(record, path)) for name, path in paths.items()}


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
    if isinstance(value, str):  # first, since nearly all values are texts
        value.encode()  # raises for a lone surrogate
        return value
    if isinstance(value, dict | list):
        raise TypeError
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return json.dumps(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
