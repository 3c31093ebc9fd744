"""Readers of file formats: rows as strings, in tables of bounded size; unreadable lines carry a fault."""

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
EXACT_INTEGERS = 2.0**53  # float64 represents all integers below this exactly

ColumnNames = dict[str, str]  # from our column names (`ours` below) to the file's (`theirs`)


def read_tables(file: Path, names: ColumnNames) -> Iterator[pa.Table]:
    """Yields the rows of a file: our columns as strings, LINE (int64), and FAULT where a line is unreadable.

    Raises NightshelfError with the file's name and the reason, without any value from the file.
    """
    suffix = (file.with_suffix("") if file.suffix.lower() in COMPRESSED else file).suffix.lower()
    if suffix not in READERS:
        raise NightshelfError(
            f"{file.name} has an unknown format: name it by its format, {', '.join(READERS)},"
            f" followed by {', '.join(COMPRESSED)} if it is compressed"
        )
    try:
        yield from READERS[suffix](file, names)
    except (pa.ArrowException, OSError, EOFError, csv.Error) as error:
        raise NightshelfError(
            f"{file.name} can't be read: {_cause(error)}; check that it is complete and in the format"
            " that its name says"
        ) from None


def _read_parquet(file: Path, names: ColumnNames) -> Iterator[pa.Table]:
    with pq.ParquetFile(file) as parquet:
        _check_columns(file, names, parquet.schema_arrow.names)
        line = 1
        for batch in parquet.iter_batches(BATCH_ROWS, columns=list(names.values())):
            rows = {ours: as_text(batch[theirs]) for ours, theirs in names.items()}
            yield pa.table(rows | {c.LINE: np.arange(line, line + batch.num_rows)})
            line += batch.num_rows


def _read_csv(file: Path, names: ColumnNames) -> Iterator[pa.Table]:
    faults: dict[int, str] = {}

    def skip(row: Any) -> str:
        faults[row.number] = f"has {row.actual_columns} columns, the header has {row.expected_columns}"
        return "skip"

    _check_columns(file, names, _header(file))
    with pa.input_stream(file, compression="detect") as stream:
        line = 2
        for batch in _open_csv(stream, names, skip):
            # The next line numbers that don't belong to skipped lines.
            end = line + batch.num_rows + len(faults)
            numbers = np.setdiff1d(np.arange(line, end + 1), list(faults))[: batch.num_rows]
            line = int(numbers[-1]) + 1 if len(numbers) else line
            yield from _decoded(batch, names, numbers)
    yield _faulty_rows(names, faults)


def _open_csv(stream: Any, names: ColumnNames, skip: Callable[[Any], str]) -> pa.csv.CSVStreamingReader:
    file_columns = list(dict.fromkeys(names.values()))
    return pa.csv.open_csv(
        stream,
        pa.csv.ReadOptions(use_threads=False),  # Arrow counts lines only in a single thread
        pa.csv.ParseOptions(invalid_row_handler=skip),
        pa.csv.ConvertOptions(
            include_columns=file_columns,
            column_types=dict.fromkeys(file_columns, pa.binary()),
            check_utf8=False,
            strings_can_be_null=True,
        ),
    )


def _header(file: Path) -> list[str]:
    with pa.input_stream(file, compression="detect") as stream:
        first = next(_split_lines(stream), b"").decode("utf-8-sig", "replace")
    return next(csv.reader([first]), [])


def _decoded(
    batch: pa.RecordBatch, names: ColumnNames, numbers: "np.ndarray[Any, Any]"
) -> Iterator[pa.Table]:
    """Yields the rows of a batch of bytes as strings, and the rows that are not UTF-8 as faulty.

    numbers: the line number of each row, int64, shape (rows,).
    """
    try:
        rows = {ours: batch[theirs].cast(pa.string()) for ours, theirs in names.items()}
        yield pa.table(rows | {c.LINE: numbers})
    except pa.ArrowInvalid:
        valid = np.array([all(map(_is_utf8, row.values())) for row in batch.to_pylist()])
        yield _faulty_rows(names, dict.fromkeys(numbers[~valid].tolist(), "is not valid UTF-8"))
        yield from _decoded(batch.filter(pa.array(valid)), names, numbers[valid])


def _is_utf8(value: bytes | None) -> bool:
    try:
        return (value or b"").decode() is not None
    except UnicodeDecodeError:
        return False


def _read_json(file: Path, names: ColumnNames) -> Iterator[pa.Table]:
    keys: set[str] = set()
    with pa.input_stream(file, compression="detect") as stream:
        lines = enumerate(_split_lines(stream), 1)
        while chunk := list(islice(lines, BATCH_ROWS)):
            rows = [_parse_object(number, line, names, keys) for number, line in chunk]
            yield pa.Table.from_pylist(rows, schema=_schema(names))
    _check_columns(file, names, keys)


def _split_lines(stream: Any) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(1 << 20):
        *complete, rest = (rest + block).split(b"\n")
        yield from complete
    if rest:
        yield rest


def _parse_object(number: int, line: bytes, names: ColumnNames, keys: set[str]) -> dict[str, Any]:
    """Returns the row of a JSON line, and adds the object's keys to `keys`."""
    try:
        parsed = json.loads(line)
        keys.update(parsed)
        return {ours: _scalar_text(parsed.get(theirs)) for ours, theirs in names.items()} | {c.LINE: number}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return {c.LINE: number, c.FAULT: "is not a JSON object of plain values"}


def _scalar_text(value: Any) -> str | None:
    if isinstance(value, dict | list):
        raise TypeError
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    scalar = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    scalar.encode()  # raises for a lone surrogate
    return scalar


def _faulty_rows(names: ColumnNames, faults: dict[int, str]) -> pa.Table:
    """Returns a row per unreadable line: its number and its fault, and null in all other columns."""
    rows = [{c.LINE: number, c.FAULT: fault} for number, fault in faults.items()]
    return pa.Table.from_pylist(rows, schema=_schema(names))


def _schema(names: ColumnNames) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in (*names, c.FAULT)] + [(c.LINE, pa.int64())])


def _check_columns(file: Path, names: ColumnNames, header: Collection[str]) -> None:
    if repeated := [theirs for theirs in names.values() if list(header).count(theirs) > 1]:
        raise NightshelfError(
            f"{file.name} has more than one column {repeated[0]!r}: rename all but one in the file"
        )
    if missing := [theirs for theirs in names.values() if theirs not in header]:
        # Not quoted: the first line of a file without a header may hold a phone number.
        raise NightshelfError(
            f"{file.name} has no column {missing[0]!r}: correct the file's header or [columns] of the mapping"
        )


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


def _cause(error: Exception) -> str:
    """Returns Arrow's message without the values that it quotes."""
    message = str(error).splitlines()[0]
    for quoted in ("got ", "columns named ", "value "):
        message = message.partition(quoted)[0] or message
    return message.rpartition("Invalid: ")[2].rstrip(" :'")


READERS: dict[str, Callable[[Path, ColumnNames], Iterator[pa.Table]]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".jsonl": _read_json,
    ".json": _read_json,
}
