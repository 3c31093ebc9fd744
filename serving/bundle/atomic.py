"""Replaces local files in one step: a reader sees the old content or the new, never a part of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

DEFAULT_MODE = 0o666  # minus the umask, as for any new file


@contextmanager
def replacing(path: Path, mode: int = DEFAULT_MODE) -> Iterator[IO[bytes]]:
    """Opens a new file that replaces `path` when the block ends; on an error `path` stays as it was.

    path: a file in an existing folder. mode: permissions of the new file, minus the umask.
    Raises OSError if the file can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)  # a killed process with the same id may have left it
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode), "wb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, mode: int = DEFAULT_MODE) -> None:
    """Replaces the content of a file with UTF-8 text; see `replacing` for modes and errors."""
    with replacing(path, mode) as file:
        file.write(text.encode())
