"""A file, or a folder of files that grows, whose columns a mapping names."""

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
PART = "part-"  # what Spark and Hadoop call the pieces of one table


class FileSource:
    """Source `files`: Parquet, CSV or JSON lines, plain or packed.

    What came with one file, or with the part-* files of one folder, is one delivery: an order that a
    later delivery names again is replaced by it. Later is what came in a later night, and in one night
    what has the later name. A file that changed is read again.
    """

    def __init__(self, path: str, mapping_name: str) -> None:
        if not path or not Path(path).exists():
            raise NightshelfError(f"there is no file {path!r}: set NIGHTSHELF_FILES_PATH or give --path")
        self.path = Path(path)
        found = load_mapping(mapping_name)
        self.dialect: Dialect = found
        self.columns = found.columns
        self.name = source_name("files", str(self.path.resolve()))
        self.description = self.path.name
        self.plan = {"columns": self.columns}

    def last_day(self, since: LastPull | None) -> dt.date:
        """The day of the last order in the files."""
        new = [self._file(name) for names in _new(self._stamps(), since).values() for name in names]
        at = {c.ORDERED_AT: self.columns[c.ORDERED_AT]}
        times = (rows[c.ORDERED_AT] for file in new for rows in readers.read_tables(file, at))
        known = since.last_day if since else None
        day = last_iso_day(times) or known
        if day is None:
            raise NightshelfError(
                f"no time in {self.path.name} begins with an ISO date: give --as-of, or correct the column"
                f" {at[c.ORDERED_AT]!r}"
            )
        return max(day, known or day)

    def orders(self, since: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """The files with their sizes and times; the rows of those that are new or changed are in staging."""
        found = self._stamps()  # before anything is read: what comes or grows meanwhile is new the next time
        new = _new(found, since)
        counted = 0

        def count(done: int, rows: pa.Table) -> pa.Table:
            nonlocal counted
            counted += pc.count_distinct(rows[c.ORDER_ID]).as_py()
            progress(done, len(new), counted)
            return rows

        for page in set(staging.pages()) - new.keys():
            staging.drop(page)
        for done, (page, delivery) in enumerate(new.items()):
            stamps = {name: found[name] for name in delivery}
            if page not in staging.pages() or staging.note(page) != stamps:
                staging.write(page, map(partial(count, done), self._rows(delivery)), stamps)
        progress(len(new), len(new), counted)
        return {FILES: found}

    def products(self) -> None:
        """Nothing: what is known of products stands beside their sales."""

    def _rows(self, names: list[str]) -> Iterator[pa.Table]:
        for name in names:
            for rows in readers.read_tables(self._file(name), self.columns):
                source = pa.repeat(pa.scalar(name), rows.num_rows)
                yield rows.append_column(c.SOURCE, source)

    def _file(self, name: str) -> Path:
        return self.path if self.path.is_file() else self.path / name

    def _stamps(self) -> dict[str, list[int]]:
        """Size and time of each file by its name, in the order of the names, numbers in them counted."""
        if self.path.is_file():
            return {self.path.name: _stamp(self.path)}
        files = [file for file in self.path.rglob("*") if file.is_file() and not self._hidden(file)]
        if not files:
            raise NightshelfError(f"the folder {self.path} holds no files")
        names = sorted((str(file.relative_to(self.path)) for file in files), key=_natural)
        return {name: _stamp(self.path / name) for name in names}

    def _hidden(self, file: Path) -> bool:
        return any(part[0] in "._" for part in file.relative_to(self.path).parts)


def _new(found: dict[str, list[int]], since: LastPull | None) -> dict[int, list[str]]:
    """The deliveries that hold a new or a changed file, by their place among all."""
    known = since.reached[FILES] if since else {}
    deliveries = [list(names) for _, names in groupby(found, _delivery)]
    return {
        place: names
        for place, names in enumerate(deliveries)
        if any(known.get(name) != found[name] for name in names)
    }


def _delivery(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return folder if file.startswith(PART) else name


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _stamp(file: Path) -> list[int]:
    try:
        found = file.stat()
    except FileNotFoundError:
        raise TransientError(
            f"{file.name} went while the folder was read: see that only whole files come to it"
        ) from None
    return [found.st_size, found.st_mtime_ns]
