"""The rows of a file, every value as text, in tables of bounded size; a line that is none has a fault."""

import csv
import json
import math
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from pipelines import columns as c
from serving.errors import NightshelfError

COMPRESSED = (".gz", ".bz2", ".zst")
BATCH_ROWS = 100_000
EXACT_INTEGERS = 2.0**53  # whole floating point numbers below this are exact

ColumnNames = dict[str, str]  # our name of a column -> the file's


def read_tables(file: Path, names: ColumnNames) -> Iterator[pa.Table]:
    """The rows of a file under our names, with the number of their line and what is wrong with it.

    Raises NightshelfError naming the file and what is wrong with it, never a value of it.
    """
    suffix = (file.with_suffix("") if file.suffix.lower() in COMPRESSED else file).suffix.lower()
    if suffix not in READERS:
        raise NightshelfError(f"{file.name} is none of the formats read: {', '.join(READERS)}")
    try:
        yield from READERS[suffix](file, names)
    except (pa.ArrowException, OSError, EOFError, csv.Error) as error:
        raise NightshelfError(f"{file.name} can't be read: {_cause(error)}") from None


def _parquet(file: Path, names: ColumnNames) -> Iterator[pa.Table]:
    with pq.ParquetFile(file) as found:
        _check(file, names, found.schema_arrow.names)
        line = 1
        for batch in found.iter_batches(BATCH_ROWS, columns=list(names.values())):
            rows = {ours: text(batch[theirs]) for ours, theirs in names.items()}
            yield pa.table(rows | {c.LINE: np.arange(line, line + batch.num_rows)})
            line += batch.num_rows


def _csv(file: Path, names: ColumnNames) -> Iterator[pa.Table]:
    bad: dict[int, str] = {}

    def skip(row: Any) -> str:
        bad[row.number] = f"has {row.actual_columns} columns, the header {row.expected_columns}"
        return "skip"

    _check(file, names, _header(file))
    with pa.input_stream(file, compression="detect") as stream:
        line = 2
        for batch in _open_csv(stream, names, skip):
            end = line + batch.num_rows + len(bad)
            numbers = np.setdiff1d(np.arange(line, end + 1), list(bad))[: batch.num_rows]
            line = int(numbers[-1]) + 1 if len(numbers) else line
            yield from _decoded(batch, names, numbers)
    yield _faulty(names, bad)


def _open_csv(stream: Any, names: ColumnNames, skip: Callable[[Any], str]) -> pa.csv.CSVStreamingReader:
    theirs = list(dict.fromkeys(names.values()))
    return pa.csv.open_csv(
        stream,
        pa.csv.ReadOptions(use_threads=False),  # else no line has a number
        pa.csv.ParseOptions(invalid_row_handler=skip),
        pa.csv.ConvertOptions(
            include_columns=theirs,
            column_types=dict.fromkeys(theirs, pa.binary()),
            check_utf8=False,
            strings_can_be_null=True,
        ),
    )


def _header(file: Path) -> list[str]:
    with pa.input_stream(file, compression="detect") as stream:
        first = next(_text_lines(stream), b"").decode("utf-8-sig", "replace")
    return next(csv.reader([first]), [])


def _decoded(
    batch: pa.RecordBatch, names: ColumnNames, numbers: "np.ndarray[Any, Any]"
) -> Iterator[pa.Table]:
    """The rows of a batch of bytes as text, and apart from them those that are no UTF-8."""
    try:
        rows = {ours: batch[theirs].cast(pa.string()) for ours, theirs in names.items()}
        yield pa.table(rows | {c.LINE: numbers})
    except pa.ArrowInvalid:
        good = np.array([all(map(_utf8, row.values())) for row in batch.to_pylist()])
        yield _faulty(names, dict.fromkeys(numbers[~good].tolist(), "is no UTF-8"))
        yield from _decoded(batch.filter(pa.array(good)), names, numbers[good])


def _utf8(value: bytes | None) -> bool:
    try:
        return (value or b"").decode() is not None
    except UnicodeDecodeError:
        return False


def _json(file: Path, names: ColumnNames) -> Iterator[pa.Table]:
    seen: set[str] = set()
    with pa.input_stream(file, compression="detect") as stream:
        lines = enumerate(_text_lines(stream), 1)
        while chunk := list(islice(lines, BATCH_ROWS)):
            rows = [_object(number, line, names, seen) for number, line in chunk]
            yield pa.Table.from_pylist(rows, schema=_schema(names))
    _check(file, names, seen)


def _text_lines(stream: Any) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(1 << 20):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _object(number: int, line: bytes, names: ColumnNames, seen: set[str]) -> dict[str, Any]:
    try:
        found = json.loads(line)
        seen.update(found)
        return {ours: _plain(found.get(theirs)) for ours, theirs in names.items()} | {c.LINE: number}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return {c.LINE: number, c.FAULT: "is no JSON object of plain values"}


def _plain(value: Any) -> str | None:
    if isinstance(value, dict | list):
        raise TypeError
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    plain = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    plain.encode()  # half a surrogate pair is no text
    return plain


def _faulty(names: ColumnNames, faults: dict[int, str]) -> pa.Table:
    """Lines that can't be read: their numbers and faults, all else null."""
    rows = [{c.LINE: number, c.FAULT: fault} for number, fault in faults.items()]
    return pa.Table.from_pylist(rows, schema=_schema(names))


def _schema(names: ColumnNames) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in (*names, c.FAULT)] + [(c.LINE, pa.int64())])


def _check(file: Path, names: ColumnNames, found: Collection[str]) -> None:
    if twice := [theirs for theirs in names.values() if list(found).count(theirs) > 1]:
        raise NightshelfError(
            f"{file.name} has more than one column {twice[0]!r}: give each a name of its own"
        )
    if missing := [theirs for theirs in names.values() if theirs not in found]:
        # Without a header its names are a row, and that may hold a phone number.
        raise NightshelfError(
            f"{file.name} has no column {missing[0]!r}: correct the file's header or the mapping"
        )


def text(values: pa.Array) -> pa.Array:
    """Values as text; whole floating point numbers, as ids become where some are missing, without a point."""
    if not pa.types.is_floating(values.type):
        return values.cast(pa.string())
    values = pc.if_else(pc.is_nan(values), None, values)
    whole = pc.and_(pc.equal(values, pc.trunc(values)), pc.less(pc.abs(values), EXACT_INTEGERS))
    ids = pc.if_else(whole, values, 0).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, ids, values.cast(pa.string()))


def _cause(error: Exception) -> str:
    """The cause in Arrow's words, without what it quotes of a row."""
    told = str(error).splitlines()[0]
    for quoted in ("got ", "columns named ", "value "):
        told = told.partition(quoted)[0] or told
    return told.rpartition("Invalid: ")[2].rstrip(" :'")


READERS: dict[str, Callable[[Path, ColumnNames], Iterator[pa.Table]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _json,
    ".json": _json,
}
