"""Reads JSON: an array of orders, an object that wraps one, or an object per line."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import ijson
import pyarrow as pa

from pipelines.extract.mapping import Mapping
from pipelines.extract.readers import header
from pipelines.extract.readers.documents import Document
from pipelines.extract.readers.encodings import NOT_UTF8, BlockStream, Utf8Text, wrong_encoding
from pipelines.extract.records import has_path, to_rows, value_at
from serving.errors import NightshelfError

BATCH_RECORDS = 10_000
MAX_LINE = 1 << 24  # bytes; no order is that long, and one of empty lists takes thirty times its length
MAX_PATHS = 1000  # of objects that are searched for orders

Numbered = Iterable[tuple[int, Any]]


def read_json(document: Document, mapping: Mapping, only: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of a JSON document, or of lines of JSON, whichever it is."""
    with _opened(document, mapping) as blocks:
        has_lines = _has_lines(next(blocks, b""))
    reader = read_json_lines if has_lines else _read_document
    yield from reader(document, mapping, only)


def read_json_lines(document: Document, mapping: Mapping, only: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of lines of JSON; a line that is no object is faulty."""
    with _opened(document, mapping) as blocks:
        lines = enumerate(_split_lines(blocks, document.name), 1)
        records: Numbered = ((number, _parsed(line)) for number, line in lines if line.strip())
        if path := mapping.file.records:
            pages = (value_at(page, path) or [] for _, page in records if isinstance(page, dict))
            records = enumerate((record for page in pages for record in page), 1)
        yield from _tables(records, document.name, mapping, only)


def _read_document(document: Document, mapping: Mapping, only: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of the orders in one JSON document, numbered from 1; never holds the whole document."""
    try:
        path = f"{mapping.file.records}.item" if mapping.file.records else _find_records(document, mapping)
        with _opened(document, mapping) as blocks:
            stream = BlockStream(_only_utf8(blocks, document.name))
            records = ijson.items(stream, path, use_float=True, multiple_values=True)
            yield from _tables(enumerate(records, 1), document.name, mapping, only)
    except (ijson.JSONError, UnicodeError) as error:
        raise NightshelfError(
            f"{document.name} can't be read: it is no complete JSON document ({type(error).__name__}); check"
            " that it is complete and in the format that its name says"
        ) from None


@contextmanager
def _opened(document: Document, mapping: Mapping) -> Iterator[Iterator[bytes]]:
    """Opens a document as blocks of UTF-8."""
    with document.open() as stream:
        yield Utf8Text(stream, mapping.file.encoding, document.name).blocks()


def _only_utf8(blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Yields the blocks; raises NightshelfError for one that isn't UTF-8."""
    for block in blocks:
        if NOT_UTF8.encode() in block:
            raise wrong_encoding(block.decode(errors="ignore"), name)
        yield block


def _has_lines(start: bytes) -> bool:
    """Returns whether a document with this beginning has an object per line, instead of being one object."""
    first, _, rest = start.lstrip().partition(b"\n")
    return bool(rest.strip()) and isinstance(_parsed(first), dict)


def _find_records(document: Document, mapping: Mapping) -> str:
    """Returns the path of the first objects in a document that have the mapping's columns.

    Without objects it is the path of the first empty list. Raises NightshelfError if there is neither.
    """
    groups = [[column.partition(".")[0] for column in group] for group in mapping.required_columns]
    keys: dict[str, set[str]] = {}
    empty: str | None = None  # the path of the first empty list
    started: str | None = None
    with _opened(document, mapping) as blocks:
        for path, event, value in ijson.parse(BlockStream(blocks), multiple_values=True):
            empty = path if event == "end_array" and started == path and empty is None else empty
            started = path if event == "start_array" else None
            if event == "map_key" and len(keys) < MAX_PATHS:
                keys.setdefault(path, set()).add(value)
            if event == "end_map" and all(keys.get(path, set()) & {*group} for group in groups):
                return str(path)
    if empty is not None and not any("item" in path.split(".") for path in keys):
        return f"{empty}.item".lstrip(".")
    if not keys:
        raise NightshelfError(f"{document.name} holds no objects: check that it is a list of orders")
    best = max(keys.values(), key=lambda names: sum(bool(names & {*group}) for group in groups))
    missing = next((group for group in groups if not best & {*group}), groups[0])
    raise header.missing_column(missing[0], sorted(best), document.name)


def _tables(records: Numbered, name: str, mapping: Mapping, only: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of records; raises NightshelfError at the end if none of them has a required column."""
    lines = mapping.nested.lines if mapping.nested else None
    missing = mapping.required_columns
    keys: set[str] = set()
    numbered = iter(records)
    while batch := list(islice(numbered, BATCH_RECORDS)):
        orders = [record for _, record in batch if isinstance(record, dict)]
        keys |= {key for order in orders[:100] for key in order}
        missing = [group for group in missing if not _any_has(orders, group, lines)]
        yield to_rows(batch, only, lines)
    if keys and missing:
        raise header.missing_column(missing[0][0], sorted(keys), name)


def _any_has(orders: list[Any], paths: tuple[str, ...], lines: str | None) -> bool:
    return any(has_path(order, path, lines) for order in orders for path in paths)


def _parsed(line: bytes) -> Any:
    """Returns the value of a line of JSON, None for a line that isn't JSON or isn't UTF-8."""
    try:
        return None if NOT_UTF8.encode() in line else json.loads(line.decode())
    except (ValueError, RecursionError):
        return None


def _split_lines(blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *complete, rest = (rest + block).split(b"\n")
        yield from complete
        if len(rest) > MAX_LINE:
            raise NightshelfError(
                f"{name} has a line of more than {MAX_LINE >> 20} MiB: write an order per line, or name the"
                " file .json if it is one document"
            )
    if rest:
        yield rest
