"""Reads Parquet files."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.extract.mapping import Mapping
from pipelines.extract.readers import header, rows
from pipelines.extract.readers.documents import Document
from pipelines.extract.records import ROW


def read_parquet(document: Document, mapping: Mapping, only: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of a Parquet file, numbered from 1."""
    with document.local_path() as path, pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        positions = header.check(names, mapping, document.name)
        columns = {column: names[positions[column]] for column in only if column in positions}
        types = {column: file.schema_arrow.field(name).type for column, name in columns.items()}
        numeric = frozenset(column for column, kind in types.items() if rows.is_number(kind))
        line = 1
        for batch in file.iter_batches(rows.BATCH_ROWS, columns=list(dict.fromkeys(columns.values()))):
            numbers = pa.array(range(line, line + batch.num_rows))
            texts = {column: rows.as_text(batch[name]) for column, name in columns.items()}
            yield rows.table(only, texts | {ROW: numbers}, numeric)
            line += batch.num_rows
