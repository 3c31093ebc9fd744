"""Samples of workbooks, Parquet files and JSON."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import fastexcel
import ijson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.extract.inspect.headers import find_header, unique
from pipelines.extract.inspect.values import with_none
from pipelines.extract.inspect.words import name_score
from pipelines.extract.readers.documents import Document
from pipelines.extract.records import plain_text, to_rows, value_at
from serving.errors import NightshelfError

ROWS = 4_000
RECORDS = 1_500
DEPTH = 3  # of the paths within a JSON object that become columns
RAW_LENGTH = 2_000


@dataclass
class JsonRows:
    """Rows of a JSON document; lines: the path of the list of an order's lines."""

    frame: pd.DataFrame
    raw: list[str]
    lines: str = ""
    file: dict[str, object] = field(default_factory=dict)


def parquet_rows(document: Document) -> tuple[pd.DataFrame, list[str]]:
    """Returns the first rows of a Parquet file, and a description of each."""
    with document.local_path() as path, pq.ParquetFile(path) as parquet:
        batch = next(parquet.iter_batches(ROWS), None)
        table = pa.Table.from_batches([batch]) if batch else parquet.schema_arrow.empty_table()
    frame = pd.DataFrame({name: _texts(table[name]) for name in table.column_names}, dtype=object)
    return frame, _joined(frame)


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return [None if value is None else str(value) for value in column.cast(pa.string()).to_pylist()]
    return [_plain(value) for value in column.to_pylist()]


def _plain(value: Any) -> str | None:
    try:
        return plain_text(value)
    except TypeError:
        return json.dumps(value, default=str, ensure_ascii=False)


def workbook_rows(document: Document) -> tuple[pd.DataFrame, list[str], dict[str, object]]:
    """Returns the first rows of all sheets with the widest known header, and the keys that [file] needs."""
    with document.local_path() as path:
        workbook = fastexcel.read_excel(path)
        sheets = [(name, _cells(workbook, name)) for name in workbook.sheet_names]
    headers = {name: (find_header(rows), rows) for name, rows in sheets if rows}
    headed = {name: (row, rows) for name, (row, rows) in headers.items() if row is not None}
    if not headed:
        raise NightshelfError(f"{document.name} has no sheet with a row of column names: write one")
    names = {name: tuple(unique(rows[row])) for name, (row, rows) in headed.items()}
    chosen = max(
        names.values(), key=lambda header: sum(len(headed[n][1]) for n in names if names[n] == header)
    )
    alike = [name for name in headed if names[name] == chosen]
    file: dict[str, object] = {"sheets": alike} if len(alike) < len(headed) else {}
    first = headed[alike[0]][0]
    if first:
        file["header_row"] = first + 1
    body = [row for name in alike for row in headed[name][1][headed[name][0] + 1 :] if any(row)]
    frame = pd.DataFrame(body, columns=list(chosen), dtype=object)
    return frame, _joined(frame), file


def _cells(workbook: Any, sheet: str) -> list[list[str]]:
    loaded = workbook.load_sheet(sheet, header_row=None, n_rows=ROWS, dtypes="string")
    columns = [column.to_pylist() for column in loaded.to_arrow().columns]
    return [[cell or "" for cell in row] for row in zip(*columns, strict=True)]


def json_rows(document: Document) -> JsonRows:
    """Returns a row for each line of the first orders of a JSON document."""
    path, records = _records(document)
    if not records:
        raise NightshelfError(f"{document.name} holds no JSON objects: check what the shop sends")
    lines = _list_of_lines(records)
    columns = sorted({name for record in records[:300] for name in _paths(record, lines)}, key=_depth)
    table = to_rows(enumerate(records, 1), columns, lines or None)
    frame = with_none(table.select(columns).to_pandas())
    file: dict[str, object] = {"records": path} if path else {}
    return JsonRows(frame, _raw(table, records, lines), lines, file)


def _depth(path: str) -> tuple[int, str]:
    return path.count("."), path


def _raw(table: pa.Table, records: list[Any], lines: str) -> list[str]:
    """Returns the JSON of each line's order."""
    sizes = [len(value_at(record, lines) or [{}]) if lines else 1 for record in records]
    raw = [_short(record) for record, size in zip(records, sizes, strict=True) for _ in range(size)]
    return raw[: table.num_rows]


def _short(record: Any) -> str:
    return json.dumps(record, ensure_ascii=False, default=str)[:RAW_LENGTH]


def _records(document: Document) -> tuple[str, list[Any]]:
    """Returns the path of the list of records in the document ("" for its top), and the first records."""
    if records := _json_lines(document):
        return "", records
    with document.open() as stream:
        path = _list_path(stream)
    prefix = f"{path}.item" if path else "item"
    with document.open() as stream:
        return path, list(itertools.islice(ijson.items(stream, prefix, use_float=True), RECORDS))


def _json_lines(document: Document) -> list[Any]:
    """Returns the first objects of a document with one JSON object per line; [] for any other document."""
    with document.open() as stream:
        lines = stream.read(4_000_000).split(b"\n")
    filled = [line for line in lines[:RECORDS] if line.strip()]
    return [record for record in map(_object, filled) if record] if filled and _object(filled[0]) else []


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    is_list_of_orders = isinstance(record, dict) and any(_is_list(value) for value in record.values())
    if not isinstance(record, dict) or (is_list_of_orders and len(record) < 3):
        return None
    return record


def _list_path(stream: Any) -> str:
    """Returns the path of the first list of objects."""
    previous = ""
    for prefix, event, _ in ijson.parse(stream):
        if event == "start_map" and previous == "start_array":
            return str(prefix).removesuffix("item").rstrip(".")
        previous = event
    return ""


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _list_of_lines(records: list[Any]) -> str:
    """Returns the path of the list whose objects look most like products with quantities; "" without one."""
    scores: dict[str, float] = {}
    for record in records[:100]:
        for path, value in _lists(record):
            scores[path] = scores.get(path, 0.0) + _likeness(value[0])
    best = max(scores, key=lambda path: scores[path], default="")
    return best if best and scores[best] > 0 else ""


def _likeness(item: dict[str, Any]) -> float:
    return sum(max(name_score(key, kind) for key in item) for kind in ("product", "quantity", "name")) - 1.0


def _lists(record: Any, prefix: str = "", depth: int = DEPTH) -> Iterator[tuple[str, Any]]:
    """Yields the path and the value of each list of objects in an object."""
    for key, value in record.items() if isinstance(record, dict) else ():
        if _is_list(value):
            yield f"{prefix}{key}", value
        elif depth > 1:
            yield from _lists(value, f"{prefix}{key}.", depth - 1)


def _paths(record: Any, lines: str, prefix: str = "", depth: int = DEPTH) -> Iterator[str]:
    """Yields the paths of the plain values of an order, and those of its lines."""
    for key, value in record.items() if isinstance(record, dict) else ():
        path = f"{prefix}{key}"
        if path == lines and _is_list(value):
            for item in value[:20]:
                yield from _paths(item, lines, f"{path}.", depth)
        elif isinstance(value, dict) and depth > 1:
            yield from _paths(value, lines, f"{path}.", depth - 1)
        elif not isinstance(value, dict | list):
            yield path


def _joined(frame: pd.DataFrame) -> list[str]:
    rows = frame.head(ROWS).itertuples(index=False)
    return [" | ".join("" if value is None else str(value) for value in row) for row in rows]
