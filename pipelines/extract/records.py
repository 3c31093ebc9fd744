"""Turns nested orders, as JSON from shops' APIs and documents of databases hold them, into rows of text."""

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from pipelines import columns as c

Record = dict[str, Any]
UNREADABLE = "is not an object of plain values"


def to_rows(records: Iterable[tuple[int, Any]], columns: list[str], lines: str | None) -> pa.Table:
    """Returns a row per order line: the values at the paths `columns` as strings, LINE and FAULT.

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
            rows.append({c.LINE: number, c.FAULT: UNREADABLE})
    schema = pa.schema([(name, pa.string()) for name in (*columns, c.FAULT)] + [(c.LINE, pa.int64())])
    return pa.Table.from_pylist(rows, schema)


def _rows_of(record: Record, number: int, columns: list[str], lines: str | None) -> list[dict[str, Any]]:
    if not isinstance(record, dict):
        raise TypeError
    if lines is None:
        return [{name: plain_text(value_at(record, name)) for name in columns} | {c.LINE: number}]
    prefix = f"{lines}."
    of_order = {name: plain_text(value_at(record, name)) for name in columns if not name.startswith(prefix)}
    of_line = [name for name in columns if name.startswith(prefix)]
    return [
        of_order
        | {name: plain_text(value_at(item, name.removeprefix(prefix))) for name in of_line}
        | {c.LINE: index}
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


def in_batches(records: Iterable[Any], size: int) -> Iterator[list[tuple[int, Any]]]:
    """Yields the records with their numbers from 1, in lists of at most `size`."""
    batch: list[tuple[int, Any]] = []
    for number, record in enumerate(records, 1):
        batch.append((number, record))
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
