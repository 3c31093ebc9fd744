"""The tables of the lake, into an archive and back: of each the version that is read, whole."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.backup.archive import Writer
from pipelines.lake import tables
from serving.errors import NightshelfError

LAKE = "lake"
TRIES = 5


def save(archive: Writer) -> int:
    """How many tables were added; nights may go on meanwhile."""
    done: set[str] = set()
    # A pull of everything takes the place of those before it: what came meanwhile holds what went.
    while new := [table for table in _tables() if table not in done]:
        for table in new:
            _save_table(archive, table)
        done.update(new)
    archive.put(f"{LAKE}/{tables.STAMP}", str(tables.FORMAT).encode())
    return len(done)


def restore(folder: Path) -> None:
    """Lets the lake hold the tables of an unpacked archive, and nothing else.

    Each table is replaced whole; where this is killed in between, it is to be run again.
    """
    unpacked = folder / LAKE
    names = [str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()]
    for name in sorted(names, key=lambda name: name.endswith(tables.POINTER)):  # after what they point to
        with tables.atomic_write(name) as file, (unpacked / name).open("rb") as saved:
            shutil.copyfileobj(saved, file)
    for name in set(tables.file_paths()) - set(names):
        tables.remove(name)


def any_there() -> bool:
    """Whether the lake holds a table."""
    return next(_tables(), None) is not None


def _tables() -> Iterator[str]:
    end = f"/{tables.POINTER}"
    return (path.removesuffix(end) for path in tables.file_paths() if path.endswith(end))


def _save_table(archive: Writer, table: str) -> None:
    """Adds the version that is read; none where the table is gone."""
    for _ in range(TRIES):
        if not tables.exists(table):
            return
        with tempfile.TemporaryDirectory() as folder:
            if version := _fetched(table, Path(folder)):
                archive.add_folder(f"{LAKE}/{table}", Path(folder))
                archive.put(f"{LAKE}/{table}/{tables.POINTER}", version.encode())
                return
    raise NightshelfError(f"nights replace the table {table!r} again and again: back up when none runs")


def _fetched(table: str, folder: Path) -> str | None:
    """The name of the version whose files are in the folder now; None where others replaced it meanwhile."""
    try:
        version = tables.current_version(table)
        for path in tables.file_paths(f"{table}/{version}"):
            to = folder / path.removeprefix(f"{table}/")
            to.parent.mkdir(parents=True, exist_ok=True)
            with tables.open_file(path) as file, to.open("wb") as copied:
                shutil.copyfileobj(file, copied)
        return version if tables.current_version(table) == version else None
    except (FileNotFoundError, NightshelfError):
        return None
