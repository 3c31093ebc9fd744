"""The tables of the lake: Parquet under one folder or URL, each replaced atomically.

A table is a folder of versions and a small file, CURRENT, which names the version to read. `replace` writes
the new version beside the others and replaces CURRENT last, so a reader sees the old table or the new one,
never a mixture; a run that is killed leaves only a version that nothing refers to. The storage only has to
make each file appear whole, which object stores do too. The file FORMAT holds the version of this layout.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import IO, TYPE_CHECKING, Any

import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipelines.lake import files
from pipelines.settings import settings
from serving.errors import NightshelfError

if TYPE_CHECKING:  # an extraction needs no engine, and starts sooner without it
    from ibis import Table

RAW_ORDERS = "raw/orders/source={source}"  # holds a table per pull
RAW_PRODUCTS = "raw/products/source={source}"
STAGING = "staging/source={source}"  # pages of a pull that isn't complete yet
GOODS = "goods"
ORDERS = "orders"
PRODUCTS = "products"
QUARANTINE = "quarantine/orders/date={day}"
VALIDATION = "validation/source={source}"  # holds a table per nightly run
PROFILE = "profile/source={source}"
CUSTOMERS = "customers/source={source}"
IDENTITY = "identity/source={source}"  # the identity rules of a source's customers, oldest first
RELEASES = "quarantine/releases"  # the quarantined lines that a person released
INTERACTIONS = "interactions"
BASKETS = "baskets"
GROUPS = "groups"  # the region of each customer
RULES = "rules"
BACKTEST = "live/date={day}/run={run}"  # how well the champion predicted the orders since its fit
EVALUATION = "evaluation/date={day}/run={run}"

POINTER = "CURRENT"
VERSION = re.compile(r"[0-9a-f]{32}")  # a version's folder; any other name could lie outside the lake
DISK_FULL = "No space left on device"
STAMP = "FORMAT"
FORMAT = 1  # also the format of a lake without the file FORMAT


def current_path(table: str) -> str:
    """Returns the path of a table's current version; raises NightshelfError if it was never written."""
    fs, root = _open(table)
    try:
        version = fs.cat_file(f"{root}/{POINTER}").decode(errors="replace")
    except FileNotFoundError:
        raise NightshelfError(
            f"the lake in {settings().lake_url} has no table {table!r}: run `nightshelf retrain` first"
        ) from None
    _check_version(table, version)
    return f"{_url(table)}/{version}"


def current_version(table: str) -> str:
    """Returns the name of a table's current version; raises NightshelfError if it was never written."""
    return current_path(table).rsplit("/", 1)[-1]


def version_path(table: str, version: str) -> str:
    """Returns the path of a version; raises NightshelfError if later runs have replaced and removed it."""
    _check_version(table, version)
    fs, root = _open(f"{table}/{version}")
    if not fs.exists(root):
        raise NightshelfError(
            f"other runs have replaced the table {table!r} of this run: repeat this run when no other run is"
            " active"
        )
    return f"{_url(table)}/{version}"


def _check_version(table: str, version: str) -> None:
    if not VERSION.fullmatch(version):
        raise NightshelfError(
            f"the version of the table {table!r} in the lake {settings().lake_url} is no name that Nightshelf"
            f" writes (file {POINTER}, or a tag of the run in MLflow): restore a backup, or repeat the run"
        )


def read(table: str, columns: list[str] | None = None) -> pa.Table:
    """Returns the current version of a table, in memory."""
    return read_path(current_path(table), columns)


def read_path(path: str, columns: list[str] | None = None, coded: list[str] | None = None) -> pa.Table:
    """Returns the version of a table at a path, in memory.

    coded: text columns with many repeated values, which are read dictionary-encoded.
    """
    fs, root = files.resolve(path)
    return pq.read_table(root, filesystem=fs, columns=columns, read_dictionary=coded)


def dataset(table: str) -> ds.Dataset:
    """Returns the current version of a table without reading its rows; metadata suffice to count them."""
    fs, root = files.resolve(current_path(table))
    return ds.dataset(root, filesystem=fs, format="parquet")


def distinct(table: str, column: str) -> list[str]:
    """Returns the distinct values of a text column."""
    values: list[str] = read_path(current_path(table), [column], [column])[column].unique().to_pylist()
    return values


def scan(*tables: str, schema: pa.Schema | None = None) -> "Table":
    """Returns the union of tables as an expression, which the engine computes.

    schema: the columns to read; a column that a table lacks is null there. Without a schema all tables
    must have the same columns.
    """
    from pipelines.lake import engine

    return engine.scan([current_path(table) for table in tables], schema)


def write(table: str, rows: pa.Table) -> int:
    """Replaces the table with these rows, and returns how many there are."""

    def save(url: str) -> None:
        fs, path = files.make_folder(url)
        pq.write_table(rows, f"{path}/part-0.parquet", filesystem=fs)

    replace(table, save)
    return int(rows.num_rows)


def write_computed(table: str, rows: "Table") -> None:
    """Replaces the table with the rows of an expression."""
    from pipelines.lake import engine

    replace(table, lambda url: engine.write(rows, url))


def replace(table: str, save: Callable[[str], Any]) -> None:
    """Replaces the table with what `save` writes; `save` is called with the URL of the new version.

    Raises NightshelfError if the disk is full.
    """
    fs, root = _open(table)
    previous = fs.cat_file(f"{root}/{POINTER}").decode() if fs.exists(f"{root}/{POINTER}") else ""
    version = uuid.uuid4().hex
    try:
        with _report_full_disk(table):
            files.make_folder(_url(table))
            save(f"{_url(table)}/{version}")
    except Exception:
        remove(f"{table}/{version}")  # a partial version would take the disk space of the next attempt
        raise
    _stamp(settings().lake_url)
    put(f"{table}/{POINTER}", version.encode())
    _remove_others(fs, root, {POINTER, version, previous})  # a reader may still use the previous version


def put(path: str, content: bytes) -> None:
    """Writes a small file of the lake atomically."""
    with atomic_write(path) as file:
        file.write(content)


@contextmanager
def atomic_write(path: str) -> Iterator[IO[bytes]]:
    """Yields a file of the lake to write to, which appears only when the block ends without an error."""
    with _report_full_disk(path), files.atomic_write(_url(path)) as file:
        yield file


def entries(folder: str) -> list[str]:
    """Returns the sorted names in a folder of the lake, without hidden names; empty if it doesn't exist."""
    fs, root = _open(folder)
    paths = fs.ls(root, detail=False) if fs.exists(root) else []
    return sorted(name for path in paths if not (name := path.rsplit("/", 1)[-1]).startswith("."))


def file_paths(folder: str = "") -> Iterator[str]:
    """Yields the paths of all files below a folder of the lake (default: all), without hidden files."""
    (fs, root), (_, folder_path) = _open(""), _open(folder)
    for path in fs.find(folder_path) if fs.exists(folder_path) else ():
        relative = path.removeprefix(root.rstrip("/")).lstrip("/")
        if not relative.rpartition("/")[2].startswith("."):
            yield relative


def remove(path: str) -> None:
    """Removes a file or a folder of the lake, if it exists."""
    fs, root = _open(path)
    if fs.exists(root):
        fs.rm(root, recursive=True)


def exists(table: str) -> bool:
    """Returns whether the table was ever written."""
    fs, root = _open(f"{table}/{POINTER}")
    return bool(fs.exists(root))


def keep_latest(folder: str, count: int) -> None:
    """Removes all entries of a folder but the last `count` in the order of their names."""
    for name in entries(folder)[:-count]:
        remove(f"{folder}/{name}")


def load(path: str) -> bytes:
    """Returns the content of a small file of the lake; raises FileNotFoundError if it doesn't exist."""
    fs, root = _open(path)
    return bytes(fs.cat_file(root))


@contextmanager
def open_file(path: str) -> Iterator[IO[bytes]]:
    """Yields a file of the lake to read from."""
    fs, root = _open(path)
    with fs.open(root, "rb") as file:
        yield file


@contextmanager
def _report_full_disk(path: str) -> Iterator[None]:
    """Replaces the error by which Python, Arrow or an engine reports a full disk with a NightshelfError."""
    try:
        yield
    except Exception as error:
        if DISK_FULL not in str(error):
            raise
        raise NightshelfError(
            f"{path} can't be written to the lake {settings().lake_url}: {DISK_FULL};"
            " free some space and repeat the run"
        ) from None


def _remove_others(fs: fsspec.AbstractFileSystem, root: str, keep: set[str]) -> None:
    for path in fs.ls(root, detail=False):
        if path.rsplit("/", 1)[-1] not in keep:
            fs.rm(path, recursive=True)


def _open(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    return files.resolve(_url(path))


def _url(path: str) -> str:
    _check(settings().lake_url)
    return f"{settings().lake_url.rstrip('/')}/{path}"


@cache
def _check(lake: str) -> None:
    """Raises NightshelfError if the lake can't be reached, or if its format is newer than this release's."""
    try:
        lake_format = _format(lake)
    except ImportError:
        raise NightshelfError(
            f"the lake in {lake} needs packages that aren't installed: pip install 'nightshelf[s3]'"
        ) from None
    except FileNotFoundError:
        raise NightshelfError(f"the bucket of the lake {lake} doesn't exist: create it") from None
    except Exception as error:
        raise NightshelfError(
            f"the lake in {lake} can't be reached ({type(error).__name__}): check NIGHTSHELF_LAKE; for a"
            " bucket also AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and the key's rights"
        ) from None
    if lake_format > FORMAT:
        raise NightshelfError(
            f"the lake in {lake} has format {lake_format} of a later release, and this release reads format"
            f" {FORMAT}: install the later release, or restore a backup that this release made"
        )


def _format(lake: str) -> int:
    fs, root = files.resolve(lake)
    try:
        return int(fs.cat_file(f"{root}/{STAMP}"))
    except FileNotFoundError:
        if files.is_object_store(fs):
            fs.info(root.partition("/")[0])  # raises FileNotFoundError if the bucket doesn't exist
        return FORMAT


@cache
def _stamp(lake: str) -> None:
    """Writes the file FORMAT if the lake has none yet."""
    fs, root = files.resolve(f"{lake.rstrip('/')}/{STAMP}")
    if not fs.exists(root):
        put(STAMP, str(FORMAT).encode())
