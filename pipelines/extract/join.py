"""Adds the columns of other files to a source's lines, as the tables [join.NAME] of a mapping say."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract.mapping import Elapsed, Join, Mapping
from pipelines.extract.readers import read_tables
from serving.errors import NightshelfError

ELAPSED = c.ORDERED_AT  # the column that Elapsed makes


class JoinedFiles:
    """The files that a mapping joins, each read once when it is needed first."""

    def __init__(self, mapping: Mapping, folder: Path) -> None:
        self.mapping = mapping
        self.folder = folder
        self._tables: dict[str, pa.Table] = {}

    def add_to(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Yields the tables with the columns of each joined file, null where a line has no row there.

        Raises NightshelfError for a file that is missing or that has several rows of one key.
        """
        for rows in tables:
            for name, join in self.mapping.join.items():
                table = self._table(name, join)
                index = pc.index_in(rows[join.on].combine_chunks(), table[join.key].combine_chunks())
                for column in table.column_names:
                    rows = rows.append_column(f"{name}.{column}", table[column].take(index))
            yield rows

    def _table(self, name: str, join: Join) -> pa.Table:
        if name not in self._tables:
            self._tables[name] = self._read(name, join)
        return self._tables[name]

    def _read(self, name: str, join: Join) -> pa.Table:
        wanted = _columns(self.mapping, name, join)
        files = _files(self.folder, join.file)
        if not files and join.required:
            raise NightshelfError(
                f"the folder {self.folder.name} has no file {join.file}, which [join.{name}] of the mapping"
                " names: put it beside the file with the order lines, or correct the mapping"
            )
        parts = [rows.select(wanted) for file in files for rows in read_tables(file, _same(wanted))]
        table = pa.concat_tables(parts) if parts else pa.table({key: pa.array([], "string") for key in wanted})
        if pc.count_distinct(table[join.key]).as_py() < len(table):
            raise NightshelfError(
                f"{join.file} has several rows of one {join.key!r}, so [join.{name}] of the mapping can't be"
                " used: name the column that identifies its rows"
            )
        return _with_times(table, join.elapsed) if join.elapsed else table


def is_joined(mapping: Mapping, file: str) -> bool:
    """Returns whether a file holds no order lines, because the mapping joins it or names other files."""
    if any(fnmatch(file, join.file) for join in mapping.join.values()):
        return True
    return bool(mapping.file.names) and not any(fnmatch(file, name) for name in mapping.file.names)


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and fnmatch(path.name, pattern))


def _columns(mapping: Mapping, name: str, join: Join) -> list[str]:
    """Returns the columns of a joined file that the mapping needs."""
    prefix = f"{name}."
    named = [text.removeprefix(prefix) for text in mapping.all_columns if text.startswith(prefix)]
    needed = [join.key, *(column for column in named if not (join.elapsed and column == ELAPSED))]
    if elapsed := join.elapsed:
        needed += [elapsed.days, elapsed.customer, elapsed.number]
        needed += [elapsed.hour] if elapsed.hour else []
    return list(dict.fromkeys(needed))


def _same(names: list[str]) -> dict[str, str]:
    return {name: name for name in names}


def _with_times(table: pa.Table, elapsed: Elapsed) -> pa.Table:
    """Returns the table with the column ELAPSED: the start and all days between the customer's orders."""
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
