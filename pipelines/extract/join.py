"""Adds the columns of other files to a source's lines, as the tables [join.NAME] of a mapping say."""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract.mapping import Mapping
from pipelines.extract.mapping_tables import Elapsed, Join
from pipelines.extract.readers import read_tables
from pipelines.extract.readers.documents import Document, list_documents
from serving.errors import NightshelfError

NAMED = 10  # files that a message names at most
ELAPSED = c.ORDERED_AT  # the column that Elapsed makes


class JoinedFiles:
    """The files that a mapping joins; each is read when it is first needed."""

    def __init__(self, mapping: Mapping, path: Path) -> None:
        self.mapping = mapping
        self.path = path
        self._tables: dict[str, pa.Table] = {}

    def add_to(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Yields the tables with the columns of each joined file, null where a line has no row there.

        Raises NightshelfError for a file that is missing or that has several rows of one key.
        """
        for rows in tables:
            joined = rows
            for name, join in self.mapping.join.items():
                table = self._table(name, join)
                index = pc.index_in(joined[join.on].combine_chunks(), table[join.key].combine_chunks())
                for column in table.column_names:
                    joined = joined.append_column(f"{name}.{column}", table[column].take(index))
            yield joined

    def _table(self, name: str, join: Join) -> pa.Table:
        if name not in self._tables:
            self._tables[name] = self._read(name, join)
        return self._tables[name]

    def _read(self, name: str, join: Join) -> pa.Table:
        wanted = _columns(self.mapping, name, join)
        documents = [document for document in _beside(self.path) if _matches(document, join.file)]
        if not documents and join.required:
            raise NightshelfError(
                f"there is no file {join.file} beside the file with the order lines, although [join.{name}]"
                " of the mapping names it: put it there, or correct the mapping"
            )
        described = Mapping(columns={column: column for column in wanted})
        parts = [rows for document in documents for rows in read_tables(document, described, wanted)]
        tables = [rows.select(wanted).replace_schema_metadata(None) for rows in parts]
        schema = pa.schema([(column, pa.string()) for column in wanted])
        table = pa.concat_tables([schema.empty_table(), *(rows.cast(schema) for rows in tables)])
        if pc.count_distinct(table[join.key]).as_py() < len(table):
            raise NightshelfError(
                f"{join.file} has several rows of one {join.key!r}, so [join.{name}] of the mapping can't be"
                " used: name the column that identifies its rows"
            )
        return _with_times(table, join.elapsed) if join.elapsed else table


def lines_and_joined(
    documents: Sequence[Document], mapping: Mapping
) -> tuple[list[Document], list[Document]]:
    """Returns the documents that hold order lines, and those that the mapping joins to them.

    A single document holds lines, whatever its name is. Raises NightshelfError if no document holds lines.
    """
    joined = [file for file in documents if any(_matches(file, join.file) for join in mapping.join.values())]
    if len(documents) == 1:
        return [*documents], []
    names = mapping.file.names or ("*",)
    lines = [file for file in documents if file not in joined and any(_matches(file, name) for name in names)]
    if not lines:
        raise NightshelfError(
            f"no file with order lines has the name {' or '.join(names)}: put one there, or correct `names`"
            f" under [file] of the mapping (the files are {_listed(documents)})"
        )
    return lines, joined


def _listed(documents: Sequence[Document]) -> str:
    more = ", ..." if len(documents) > NAMED else ""
    return ", ".join(document.name for document in documents[:NAMED]) + more


def _beside(path: Path) -> list[Document]:
    """Returns the documents that can be joined: those of a folder or an archive, or those beside a file."""
    if path.is_dir() or path.suffix.lower() == ".zip":
        return list_documents(path).documents
    return [Document(file.name, file) for file in sorted(path.parent.iterdir()) if file.is_file()]


def _matches(document: Document, pattern: str) -> bool:
    return fnmatch(PurePosixPath(document.name).name, pattern)


def _columns(mapping: Mapping, name: str, join: Join) -> list[str]:
    """Returns the columns of a joined file that the mapping needs."""
    prefix = f"{name}."
    named = [text.removeprefix(prefix) for text in mapping.all_columns if text.startswith(prefix)]
    needed = [join.key, *(column for column in named if not (join.elapsed and column == ELAPSED))]
    if elapsed := join.elapsed:
        needed += [elapsed.days, elapsed.customer, elapsed.number]
        needed += [elapsed.hour] if elapsed.hour else []
    return list(dict.fromkeys(needed))


def _with_times(table: pa.Table, elapsed: Elapsed) -> pa.Table:
    """Returns the table with the column ELAPSED: the start plus the customer's days so far."""
    frame = pd.DataFrame(
        {
            "customer": table[elapsed.customer].to_pandas(),
            "number": pd.to_numeric(table[elapsed.number].to_pandas(), "coerce"),
            "days": pd.to_numeric(table[elapsed.days].to_pandas(), "coerce").fillna(0.0),
        }
    ).sort_values(["customer", "number"], kind="stable")
    days = frame.groupby("customer")["days"].cumsum().sort_index().to_numpy()
    hours = pd.to_numeric(table[elapsed.hour].to_pandas(), "coerce").fillna(0) if elapsed.hour else 0
    seconds = np.asarray(days * 86400 + np.asarray(hours) * 3600, "timedelta64[s]")
    times = np.datetime64(elapsed.start, "s") + seconds
    return table.append_column(ELAPSED, pa.array(np.datetime_as_string(times, unit="s"), pa.string()))
