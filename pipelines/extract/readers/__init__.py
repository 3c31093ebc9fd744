"""Readers of file formats: rows as strings, in tables of bounded size; unreadable lines carry a fault."""

from collections.abc import Callable, Iterator

import pyarrow as pa

from pipelines.extract.mapping import Mapping
from pipelines.extract.readers.delimited import read_delimited
from pipelines.extract.readers.documents import DELIMITED, WORKBOOKS, Document, reported
from pipelines.extract.readers.json_documents import read_json, read_json_lines
from pipelines.extract.readers.parquet import read_parquet
from pipelines.extract.readers.workbooks import read_workbook

Reader = Callable[[Document, Mapping, list[str]], Iterator[pa.Table]]
READERS: dict[str, Reader] = {
    **dict.fromkeys(DELIMITED, read_delimited),
    **dict.fromkeys(WORKBOOKS, read_workbook),
    ".json": read_json,
    **dict.fromkeys((".jsonl", ".ndjson"), read_json_lines),
    **dict.fromkeys((".parquet", ".pq"), read_parquet),
}


def read_tables(document: Document, mapping: Mapping, only: list[str] | None = None) -> Iterator[pa.Table]:
    """Yields the rows of a document: the source's columns as strings, ROW, and ROW_FAULT for unreadable rows.

    only: the columns to read; by default all that the mapping names.
    Raises NightshelfError with the file's name and the reason, without any value from the file.
    """
    document.check_format()
    with reported(document.name):
        yield from READERS[document.format](document, mapping, only or mapping.file_columns)
