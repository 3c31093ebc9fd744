"""Source `files`: a file, or a folder that receives files, with the columns that a mapping names."""

import datetime as dt
import re
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract import readers
from pipelines.extract.mapping import load_mapping
from pipelines.extract.source import Dialect, LastPull, Position, last_iso_day, source_name
from pipelines.extract.staging import Staging
from pipelines.run.progress import Progress
from serving.errors import NightshelfError, TransientError

FILES = "files"
PART = "part-"  # how Spark and Hadoop name the files of one table


class FileSource:
    """Source `files`: Parquet, CSV or JSON lines, plain or compressed.

    A delivery is one file, or all part-* files of one folder. An order in a later delivery replaces the same
    order in an earlier one. Deliveries are ordered by pull, and within a pull by name. A changed file is read
    again.
    """

    def __init__(self, path: str, mapping_name: str) -> None:
        if not path or not Path(path).exists():
            raise NightshelfError(f"there is no file {path!r}: set NIGHTSHELF_FILES_PATH or give --path")
        self.path = Path(path)
        mapping = load_mapping(mapping_name)
        self.dialect: Dialect = mapping
        self.columns = mapping.columns
        self.name = source_name("files", str(self.path.resolve()))
        self.description = self.path.name
        self.plan = {"columns": self.columns}

    def last_day(self, last_pull: LastPull | None) -> dt.date:
        """Returns the day of the last order; raises NightshelfError if no time begins with an ISO date."""
        deliveries = _new_deliveries(self._stamps(), last_pull)
        new = [self._file(name) for names in deliveries.values() for name in names]
        time_column = {c.ORDERED_AT: self.columns[c.ORDERED_AT]}
        times = (rows[c.ORDERED_AT] for file in new for rows in readers.read_tables(file, time_column))
        known = last_pull.last_day if last_pull else None
        day = last_iso_day(times) or known
        if day is None:
            raise NightshelfError(
                f"no time in column {time_column[c.ORDERED_AT]!r} of {self.path.name} begins with an ISO"
                " date: give --as-of, or correct ordered_at in the mapping"
            )
        return max(day, known or day)

    def orders(self, last_pull: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """Writes the rows of new and changed files to staging; the position is each file's size and time."""
        stamps = (
            self._stamps()
        )  # before reading, so that a file that grows meanwhile is read again by the next pull
        new = _new_deliveries(stamps, last_pull)
        orders = 0

        def count(done: int, rows: pa.Table) -> pa.Table:
            nonlocal orders
            orders += pc.count_distinct(rows[c.ORDER_ID]).as_py()
            progress(done, len(new), orders)
            return rows

        for page in set(staging.pages()) - new.keys():
            staging.drop(page)
        for done, (page, names) in enumerate(new.items()):
            note = {name: stamps[name] for name in names}
            if page not in staging.pages() or staging.note(page) != note:
                staging.write(page, map(partial(count, done), self._rows(names)), note)
        progress(len(new), len(new), orders)
        return {FILES: stamps}

    def products(self) -> None:
        """Returns None: a file of orders names products only in its lines."""

    def _rows(self, names: list[str]) -> Iterator[pa.Table]:
        for name in names:
            for rows in readers.read_tables(self._file(name), self.columns):
                source = pa.repeat(pa.scalar(name), rows.num_rows)
                yield rows.append_column(c.SOURCE, source)

    def _file(self, name: str) -> Path:
        return self.path if self.path.is_file() else self.path / name

    def _stamps(self) -> dict[str, list[int]]:
        """Returns size and modification time of each file, in natural order of the names (2 before 10)."""
        if self.path.is_file():
            return {self.path.name: _stamp(self.path)}
        files = [file for file in self.path.rglob("*") if file.is_file() and not self._is_hidden(file)]
        if not files:
            raise NightshelfError(
                f"the folder {self.path} holds no files: put the orders there, or correct"
                " NIGHTSHELF_FILES_PATH or --path"
            )
        names = sorted((str(file.relative_to(self.path)) for file in files), key=_natural)
        return {name: _stamp(self.path / name) for name in names}

    def _is_hidden(self, file: Path) -> bool:
        return any(part[0] in "._" for part in file.relative_to(self.path).parts)


def _new_deliveries(stamps: dict[str, list[int]], last_pull: LastPull | None) -> dict[int, list[str]]:
    """Returns the deliveries with a new or changed file, by their index among all deliveries."""
    known = last_pull.reached[FILES] if last_pull else {}
    deliveries = [list(names) for _, names in groupby(stamps, _delivery)]
    return {
        index: names
        for index, names in enumerate(deliveries)
        if any(known.get(name) != stamps[name] for name in names)
    }


def _delivery(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return folder if file.startswith(PART) else name


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _stamp(file: Path) -> list[int]:
    try:
        status = file.stat()
    except FileNotFoundError:
        raise TransientError(
            f"{file.name} disappeared while its folder was read: move files there only once they are complete"
        ) from None
    return [status.st_size, status.st_mtime_ns]
