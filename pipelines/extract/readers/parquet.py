"""Reads Parquet files."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.extract.mapping import Mapping
from pipelines.extract.readers import header, rows
from pipelines.extract.readers.documents import Document
from pipelines.extract.records import ROW
from serving.errors import NightshelfError

FREE_ROWS = 1_000_000  # rows up to this number are read however small their file is
MAX_ROWS_PER_BYTE = 4  # of larger files: exports of orders take several bytes a row
MAX_TEXT = 1 << 28  # bytes of one column in a batch: some 4,000 a row


def read_parquet(document: Document, mapping: Mapping, only: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of a Parquet file, numbered from 1."""
    with document.local_path() as path, pq.ParquetFile(path, read_dictionary=_texts_of(path)) as file:
        if file.metadata.num_rows > max(FREE_ROWS, MAX_ROWS_PER_BYTE * path.stat().st_size):
            raise _too_large(
                document.name, f"{file.metadata.num_rows:,} rows in {path.stat().st_size:,} bytes"
            )
        names = file.schema_arrow.names
        positions = header.check(names, mapping, document.name)
        columns = {column: names[positions[column]] for column in only if column in positions}
        types = {column: file.schema_arrow.field(name).type for column, name in columns.items()}
        numeric = frozenset(column for column, kind in types.items() if rows.is_number(kind))
        line = 1
        for batch in file.iter_batches(rows.BATCH_ROWS, columns=list(dict.fromkeys(columns.values()))):
            numbers = pa.array(range(line, line + batch.num_rows))
            texts = {
                column: rows.as_text(_decoded(batch[name], document.name)) for column, name in columns.items()
            }
            yield rows.table(only, texts | {ROW: numbers}, numeric)
            line += batch.num_rows


def _texts_of(path: Path) -> list[str]:
    """Returns the columns of texts, read as dictionaries: a long text may be repeated in each row."""
    return [field.name for field in pq.read_schema(path) if _is_text(field.type)]


def _is_text(kind: pa.DataType) -> bool:
    is_short = pa.types.is_string(kind) or pa.types.is_binary(kind)
    return bool(is_short or pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))


def _decoded(values: pa.Array, name: str) -> pa.Array:
    """Returns the values of a column; raises NightshelfError if their texts are far too long together."""
    if not pa.types.is_dictionary(values.type):
        return values
    if _is_text(values.type.value_type):
        lengths = pc.binary_length(values.dictionary).take(values.indices)
        if (pc.sum(lengths.cast(pa.int64())).as_py() or 0) > MAX_TEXT:
            raise _too_large(
                name, f"more than {MAX_TEXT >> 20} MiB of text in {len(values):,} rows of a column"
            )
    return values.dictionary_decode()


def _too_large(name: str, what: str) -> NightshelfError:
    return NightshelfError(
        f"{name} holds {what}, as no export of orders does: check what it holds, and write it anew as text"
        " if it is right"
    )
