"""Backup and restore of the lake: the current version of each table."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.backup.archive import Writer
from pipelines.lake import tables
from serving.errors import NightshelfError

LAKE = "lake"
TRIES = 5


def save(writer: Writer) -> int:
    """Adds all tables to an archive, and returns their number; nightly runs may write meanwhile."""
    saved: set[str] = set()
    # A full pull may replace earlier pulls during the backup; its table holds their rows.
    while new := [table for table in _tables() if table not in saved]:
        for table in new:
            _save_table(writer, table)
        saved.update(new)
    writer.add_bytes(f"{LAKE}/{tables.STAMP}", str(tables.FORMAT).encode())
    return len(saved)


def restore(folder: Path) -> None:
    """Replaces the whole lake by the tables of an unpacked archive.

    Each table is replaced atomically; after an interruption, run the restore again.
    """
    unpacked = folder / LAKE
    names = [str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()]
    for name in sorted(names, key=lambda name: name.endswith(tables.POINTER)):  # pointers last
        with tables.atomic_write(name) as file, (unpacked / name).open("rb") as saved:
            shutil.copyfileobj(saved, file)
    for name in set(tables.file_paths()) - set(names):
        tables.remove(name)


def has_data() -> bool:
    """Returns whether the lake holds a table."""
    return next(_tables(), None) is not None


def _tables() -> Iterator[str]:
    end = f"/{tables.POINTER}"
    return (path.removesuffix(end) for path in tables.file_paths() if path.endswith(end))


def _save_table(writer: Writer, table: str) -> None:
    """Adds the current version of a table; adds nothing if the table has been removed."""
    for _ in range(TRIES):
        if not tables.exists(table):
            return
        with tempfile.TemporaryDirectory() as folder:
            if version := _download(table, Path(folder)):
                writer.add_folder(f"{LAKE}/{table}", Path(folder))
                writer.add_bytes(f"{LAKE}/{table}/{tables.POINTER}", version.encode())
                return
    raise NightshelfError(
        f"the table {table!r} was replaced {TRIES} times while it was copied: back up when no nightly run is"
        " in progress"
    )


def _download(table: str, folder: Path) -> str | None:
    """Copies the current version of a table into a folder and returns its name; None if it was replaced."""
    try:
        version = tables.current_version(table)
        for path in tables.file_paths(f"{table}/{version}"):
            to = folder / path.removeprefix(f"{table}/")
            to.parent.mkdir(parents=True, exist_ok=True)
            with tables.open_file(path) as file, to.open("wb") as copy:
                shutil.copyfileobj(file, copy)
        return version if tables.current_version(table) == version else None
    except (FileNotFoundError, NightshelfError):
        return None
