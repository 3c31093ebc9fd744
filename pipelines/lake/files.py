"""Files in a local folder or at any fsspec URL, written atomically: a reader sees a whole file or none."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO

import fsspec
from fsspec.core import url_to_fs

from serving.bundle import atomic


def resolve(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Returns the file system of a URL, and the path in it."""
    # Spark and other processes write too: a cached listing would lack what they wrote.
    return url_to_fs(url, use_listings_cache=False)  # type: ignore[no-any-return]


def make_folder(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Creates the folder if it is missing, and returns its file system and path."""
    fs, path = resolve(url)
    _make_folder(fs, path)
    return fs, path


def is_object_store(fs: fsspec.AbstractFileSystem) -> bool:
    """Returns whether the file system is an object store with S3's API."""
    return "s3" in fs.protocol


@contextmanager
def atomic_write(url: str) -> Iterator[IO[bytes]]:
    """Yields a file to write to, which appears at the URL only when the block ends without an error."""
    fs, path = resolve(url)
    with _writer(fs)(fs, path) as file:
        yield file


def _writer(fs: fsspec.AbstractFileSystem) -> Callable[..., AbstractContextManager[IO[bytes]]]:
    if is_object_store(fs):
        return _uploaded
    return _replaced if "file" in fs.protocol else _moved


@contextmanager
def _replaced(fs: fsspec.AbstractFileSystem, path: str) -> Iterator[IO[bytes]]:
    """Writes a local file that another user's file or link of the temporary name can't stand in for."""
    _make_folder(fs, str(Path(path).parent))
    with atomic.replacing(Path(path)) as file:
        yield file


@contextmanager
def _moved(fs: fsspec.AbstractFileSystem, path: str) -> Iterator[IO[bytes]]:
    """Writes a hidden file in the same folder, and renames it at the end."""
    folder, _, name = path.rpartition("/")
    _make_folder(fs, folder)
    temporary = f"{folder}/.{name}"
    try:
        with fs.open(temporary, "wb") as file:
            yield file
    except BaseException:
        with suppress(FileNotFoundError):
            fs.rm(temporary)
        raise
    fs.mv(temporary, path)


@contextmanager
def _uploaded(fs: fsspec.AbstractFileSystem, path: str) -> Iterator[IO[bytes]]:
    """Writes an object, which exists once its upload completes; an object store would copy to rename."""
    file = fs.open(path, "wb", autocommit=False)
    try:
        with file:
            yield file
        file.commit()
    except BaseException:
        file.discard()
        raise


def _make_folder(fs: fsspec.AbstractFileSystem, path: str) -> None:
    if not is_object_store(fs):  # it has no folders, and s3fs would create a bucket
        fs.makedirs(path, exist_ok=True)
