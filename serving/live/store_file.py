"""The file of a store in SQLite: whether it is the one that was made, and whole.

Without these checks SQLite starts an empty store in place of a lost one, which knows no forgotten customer,
and accepts events into a damaged file, from which they can't be read.
"""

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from serving.errors import StoreError

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
PRIMARY_CODE = 0xFF  # mask of SQLite's extended error codes


class StoreFile:
    """The file of a store; a mark beside it shows that it was made once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mark = path.with_name(f".{path.name}.made")
        self.is_damaged = False
        self._inode: int | None = None  # since the last check

    def prepare(self) -> None:
        """Makes the file's folder; raises StoreError if the file was made before and is gone or empty."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.mark.exists() and not (self.path.exists() and self.path.stat().st_size):
            raise StoreError(
                f"the file of the store, {self.path}, is gone or empty: stop the service and restore a"
                f" backup; or delete {self.mark} to start a store that knows no event and nobody forgotten"
            )

    def check(self, connection: sa.Connection) -> None:
        """Checks the whole file, then notes that it was made; raises StoreError if it is damaged."""
        self.is_damaged = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok"
        self._inode = _inode(self.path)
        self.require_whole()
        self.mark.touch()

    def require_whole(self) -> None:
        """Raises StoreError if the file is known to be damaged, or isn't the one that was checked."""
        if self.is_damaged:
            raise StoreError(
                f"the file of the store, {self.path}, is damaged: stop the service and restore a backup, or"
                " repair the file with `sqlite3 store.db .recover`"
            )
        if self._inode is not None and self._inode != _inode(self.path):
            raise StoreError(f"the file of the store, {self.path}, was removed or replaced while in use")

    def note(self, error: BaseException | None) -> None:
        """Notes damage that an error of SQLite shows."""
        code = getattr(error, "sqlite_errorcode", 0) or 0
        self.is_damaged = self.is_damaged or code & PRIMARY_CODE in DAMAGED


def _inode(path: Path) -> int | None:
    """Returns a file's number, None if there is no file."""
    try:
        return path.stat().st_ino
    except OSError:
        return None
