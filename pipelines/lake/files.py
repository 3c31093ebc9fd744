"""Where files lie, a local folder or any fsspec URL: each appears there whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import fsspec
from fsspec.core import url_to_fs


def at(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a URL and the path in it."""
    # Spark and other processes write, too: a listing that is remembered would lack what they wrote.
    return url_to_fs(url, use_listings_cache=False)  # type: ignore[no-any-return]


def folder_at(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The same of a folder, which is there now."""
    fs, path = at(url)
    _make_folder(fs, path)
    return fs, path


def in_bucket(fs: fsspec.AbstractFileSystem) -> bool:
    """Whether a file system is that of an object store with S3's API."""
    return "s3" in fs.protocol


@contextmanager
def whole_at(url: str) -> Iterator[IO[bytes]]:
    """A file to write into, which is there once the block ends well: none sees half of it."""
    fs, path = at(url)
    with _uploaded(fs, path) if in_bucket(fs) else _moved(fs, path) as file:
        yield file


@contextmanager
def _moved(fs: fsspec.AbstractFileSystem, path: str) -> Iterator[IO[bytes]]:
    folder, _, name = path.rpartition("/")
    _make_folder(fs, folder)
    beside = f"{folder}/.{name}"
    try:
        with fs.open(beside, "wb") as file:
            yield file
    except BaseException:
        with suppress(FileNotFoundError):
            fs.rm(beside)
        raise
    fs.mv(beside, path)


@contextmanager
def _uploaded(fs: fsspec.AbstractFileSystem, path: str) -> Iterator[IO[bytes]]:
    """A file of a bucket, which is there when its upload is completed; to move one would be to copy it."""
    file = fs.open(path, "wb", autocommit=False)
    try:
        with file:
            yield file
        file.commit()
    except BaseException:
        file.discard()
        raise


def _make_folder(fs: fsspec.AbstractFileSystem, path: str) -> None:
    if not in_bucket(fs):  # there a folder is but a part of names, and s3fs would make a bucket
        fs.makedirs(path, exist_ok=True)
