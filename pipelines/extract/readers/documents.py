"""Documents: the files below a path and the members of its zip archives, without stray files."""

import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import pyarrow as pa

from pipelines.extract.readers import archives
from serving.errors import NightshelfError, TransientError

COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
DELIMITED = (".csv", ".tsv", ".txt")
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
FOR_PEOPLE = (*DELIMITED, *WORKBOOKS)  # exports for people, which may have titles above and totals below
TABLES = (*FOR_PEOPLE, ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
# Formats that may hold orders but that no reader knows: passing over such a file could lose orders.
UNKNOWN_TABLES = (
    *(".7z", ".rar", ".tar", ".tgz", ".zip", ".xml", ".avro", ".orc", ".feather", ".arrow"),
    *(".numbers", ".dbf", ".mdb", ".accdb", ".sqlite", ".db3", ".dat"),
)
NAMED = 10  # files that a message names at most
STRAY = re.compile(
    r"[._~].*|readme.*|thumbs\.db|desktop\.ini|__macosx|.*\.(tmp|temp|part|partial|filepart|crdownload"
    r"|lock|lck|swp|bak|ini|db)|.*[~#]",
    re.IGNORECASE,
)
UNREADABLE = (pa.ArrowException, OSError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


@contextmanager
def reported(name: str) -> Iterator[None]:
    """Turns errors of the libraries that read a file into a NightshelfError without the file's values."""
    try:
        yield
    except UNREADABLE as error:
        raise NightshelfError(
            f"{name} can't be read: {_cause(error)}; check that it is complete and in the format that its"
            " name says"
        ) from None


def _cause(error: Exception) -> str:
    """Returns the library's message without the values that it quotes."""
    message = (str(error).splitlines() or [type(error).__name__])[0]
    for quoted in ("got ", "columns named ", "value "):
        message = message.partition(quoted)[0] or message
    return message.rpartition("Invalid: ")[2].rstrip(" :'")


@dataclass(frozen=True)
class Document:
    """A file, or a member of a zip archive."""

    name: str  # its path below the source's; a member's follows the path of its archive
    path: Path
    member: str = ""

    @property
    def suffixes(self) -> tuple[str, str]:
        """The format's suffix and that of the compression, in lower case; "" for each that is missing."""
        name = PurePosixPath(self.name)
        suffix = name.suffix.lower()
        return (name.with_suffix("").suffix.lower(), suffix) if suffix in COMPRESSED else (suffix, "")

    @property
    def format(self) -> str:
        """The suffix of the format, in lower case."""
        return self.suffixes[0]

    def check_format(self) -> None:
        """Raises NightshelfError if no reader knows the format."""
        if self.format not in TABLES:
            raise NightshelfError(
                f"{self.name} has an unknown format: name it by its format, {', '.join(TABLES)}, followed by"
                " .gz, .bz2 or .zst if it is compressed, or put it into a .zip"
            )

    @property
    def folder(self) -> str:
        """The folder's path below the source's, or the name of the source's own folder."""
        parent = PurePosixPath(self.name).parent
        return str(parent) if parent.name else self.path.resolve().parent.name

    def stamp(self) -> list[int]:
        """Returns the size and the modification time of the file, or of the archive."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            raise TransientError(
                f"{self.name} disappeared while its folder was read: move files there only once they are"
                " complete"
            ) from None
        return [status.st_size, status.st_mtime_ns]

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Opens the content, decompressed."""
        with self._open_stored() as stored:
            if compression := COMPRESSED.get(self.suffixes[1]):
                with pa.CompressedInputStream(stored, compression) as stream:
                    yield cast(BinaryIO, archives.Bounded(stream, self.path.stat().st_size, self.name))
            else:
                yield stored

    @contextmanager
    def _open_stored(self) -> Iterator[Any]:
        if not self.member:
            with self.path.open("rb") as file:
                yield file
        else:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                yield file

    @contextmanager
    def local_path(self) -> Iterator[Path]:
        """Yields the path of a file with the decompressed content: a temporary one if need be."""
        if not self.member and not self.suffixes[1]:
            yield self.path
            return
        with tempfile.NamedTemporaryFile(suffix=self.format) as copy, self.open() as content:
            shutil.copyfileobj(content, copy, 1 << 20)
            copy.flush()
            yield Path(copy.name)


@dataclass(frozen=True)
class Listing:
    """The documents below a path, in natural order of their names, and the files that are passed over."""

    documents: list[Document]
    passed_over: list[str]


def list_documents(path: Path) -> Listing:
    """Returns the documents of a file, an archive or a folder.

    Raises NightshelfError if there are none, or if a file may hold orders in a format without a reader.
    """
    if path.is_file() and not _is_archive(path):
        return Listing([Document(path.name, path)], [])
    root, files = (path.parent, [path]) if path.is_file() else (path, [*path.rglob("*")])
    present = [document for file in files if file.is_file() for document in _expanded(file, root)]
    present.sort(key=lambda document: natural(document.name))
    documents = [document for document in present if not _is_stray(document)]
    passed_over = [document.name for document in present if document not in documents]
    if not documents:
        raise NightshelfError(
            f"{path} holds no files of orders{passed_over_note(passed_over)}: put the orders there, or"
            " correct NIGHTSHELF_FILES_PATH or --path"
        )
    return Listing(documents, passed_over)


def passed_over_note(names: list[str]) -> str:
    """Returns the names, the first ten of many, in parentheses; "" if there are none."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f" (passed over: {', '.join(names[:NAMED])}{more})" if names else ""


def natural(name: str) -> list[tuple[int, str]]:
    """Returns a key that sorts numbers in names by value, 2 before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _expanded(file: Path, root: Path) -> list[Document]:
    """Returns a file as a document, or an archive's members."""
    name = file.relative_to(root).as_posix()
    if not _is_archive(file) or STRAY.fullmatch(file.name):
        return [Document(name, file)]
    return [Document(f"{name}/{member}", file, member) for member in archives.members(file)]


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and path.stat().st_size > 0


def _is_stray(document: Document) -> bool:
    name = PurePosixPath(document.name)
    if any(STRAY.fullmatch(part) for part in name.parts):
        return True
    if document.path.stat().st_size == 0:
        return True
    may_hold_orders = document.format in UNKNOWN_TABLES or name.name.startswith("part-")
    return document.format not in TABLES and not may_hold_orders
