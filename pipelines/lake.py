"""Where the tables live: Parquet under one folder or URL, each replaced whole.

A table is a folder of versions and one small file, CURRENT, that names the version to read. A
version is written beside the others and CURRENT replaced last, so that whoever reads sees the old
table or the new one and never a half; a run that is killed leaves only a version nobody reads.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from fsspec.core import url_to_fs

from pipelines.settings import settings
from serving.errors import NightshelfError

if TYPE_CHECKING:  # an extraction needs no Spark, and starts sooner without it
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

RAW_ORDERS = "raw/orders/source={source}"  # a table per pull below it
RAW_PRODUCTS = "raw/products/source={source}"
STAGING = "staging/source={source}"  # pages on their way into raw/
GOODS = "goods"
ORDERS = "orders"
PRODUCTS = "products"
QUARANTINE = "quarantine/orders/date={day}"
VALIDATION = "validation/source={source}"  # a table per night below it
PROFILE = "profile/source={source}"
CUSTOMERS = "customers/source={source}"
RELEASES = "quarantine/releases"  # lines that a person put back
INTERACTIONS = "interactions"
BASKETS = "baskets"
GROUPS = "groups"  # of customers
RULES = "rules"
LIVE = "live/date={day}/run={run}"  # what the champion's answers were worth on the orders since
EVALUATION = "evaluation/date={day}/run={run}"

POINTER = "CURRENT"


def current(table: str) -> str:
    """The path of the version to read; raises NightshelfError where the table was never written."""
    fs, root = _open(table)
    try:
        return f"{_url(table)}/{fs.cat_file(f'{root}/{POINTER}').decode()}"
    except FileNotFoundError:
        raise NightshelfError(
            f"the lake holds no table {table!r} in {settings().lake_url}: run a night first"
        ) from None


def version(table: str) -> str:
    """The name of the version that `current` names the path of."""
    return current(table).rsplit("/", 1)[-1]


def of_version(table: str, version: str) -> str:
    """The path of a version; raises NightshelfError where others have replaced it."""
    fs, root = _open(f"{table}/{version}")
    if not fs.exists(root):
        raise NightshelfError(
            f"other nights have replaced the table {table!r} of this one: run it again when no other runs"
        )
    return f"{_url(table)}/{version}"


def read(table: str, columns: list[str] | None = None) -> pa.Table:
    """A table of the lake, in memory."""
    return read_path(current(table), columns)


def read_path(path: str, columns: list[str] | None = None, coded: list[str] | None = None) -> pa.Table:
    """The version of a table at a path, in memory.

    coded: columns of texts that come again and again, to be held as numbers into a dictionary.
    """
    fs, root = url_to_fs(path)
    return pq.read_table(root, filesystem=fs, columns=columns, read_dictionary=coded)


def dataset(table: str) -> ds.Dataset:
    """A table of the lake, whose rows can be counted without reading them."""
    fs, root = url_to_fs(current(table))
    return ds.dataset(root, filesystem=fs, format="parquet")


def distinct(table: str, column: str) -> list[str]:
    """The different texts of a column."""
    found: list[str] = read_path(current(table), [column], [column])[column].unique().to_pylist()
    return found


def read_spark(spark: "SparkSession", *tables: str, schema: "StructType | None" = None) -> "DataFrame":
    """Tables of the lake, one below the other, as Spark reads them.

    schema: the columns to read; one that a table lacks is null. Without it all tables have the same.
    """
    reader = spark.read.schema(schema) if schema else spark.read
    return reader.parquet(*map(current, tables))


def write(table: str, rows: pa.Table) -> int:
    """The number of rows written; they replace what the table held."""

    def save(url: str) -> None:
        fs, path = url_to_fs(url)
        fs.makedirs(path, exist_ok=True)
        pq.write_table(rows, f"{path}/part-0.parquet", filesystem=fs)

    replace(table, save)
    return int(rows.num_rows)


def write_spark(table: str, rows: "DataFrame") -> None:
    """Replaces a table by what Spark computes."""
    replace(table, rows.write.parquet)


def replace(table: str, save: Callable[[str], Any]) -> None:
    """Replaces a table by what `save` writes to the path it is given."""
    fs, root = _open(table)
    before = fs.cat_file(f"{root}/{POINTER}").decode() if fs.exists(f"{root}/{POINTER}") else ""
    version = uuid.uuid4().hex
    fs.makedirs(root, exist_ok=True)
    save(f"{_url(table)}/{version}")
    put(f"{table}/{POINTER}", version.encode())
    _remove_others(fs, root, {POINTER, version, before})  # the one before may still be being read


def put(path: str, content: bytes) -> None:
    """Writes a small file of the lake whole."""
    with whole(path) as file:
        file.write(content)


@contextmanager
def whole(path: str) -> Iterator[IO[bytes]]:
    """A file of the lake to write into, which is there once the block ends well: none sees half of it."""
    with whole_at(_url(path)) as file:
        yield file


@contextmanager
def whole_at(url: str) -> Iterator[IO[bytes]]:
    """The same for a file anywhere, a local path or a URL."""
    fs, target = url_to_fs(url)
    folder, _, name = target.rpartition("/")
    fs.makedirs(folder, exist_ok=True)
    try:
        with fs.open(f"{folder}/.{name}", "wb") as file:
            yield file
    except BaseException:
        fs.rm(f"{folder}/.{name}")
        raise
    fs.mv(f"{folder}/.{name}", target)


def entries(folder: str) -> list[str]:
    """The names in a folder of the lake, in order; none where the folder doesn't exist."""
    fs, root = _open(folder)
    found = fs.ls(root, detail=False) if fs.exists(root) else []
    return sorted(name for entry in found if not (name := entry.rsplit("/", 1)[-1]).startswith("."))


def files() -> Iterator[str]:
    """The paths of all files of the lake, but for hidden ones."""
    fs, root = _open("")
    for path in fs.find(root) if fs.exists(root) else ():
        below = path.removeprefix(root.rstrip("/")).lstrip("/")
        if not below.rpartition("/")[2].startswith("."):
            yield below


def remove(path: str) -> None:
    """Removes a file or a folder of the lake; one that doesn't exist is left alone."""
    fs, root = _open(path)
    if fs.exists(root):
        fs.rm(root, recursive=True)


def exists(table: str) -> bool:
    """Whether a table was ever written."""
    fs, root = _open(f"{table}/{POINTER}")
    return bool(fs.exists(root))


def keep_latest(folder: str, count: int) -> None:
    """Removes all but the last entries of a folder, in the order of their names."""
    for name in entries(folder)[:-count]:
        remove(f"{folder}/{name}")


def load(path: str) -> bytes:
    """What a small file of the lake holds; raises FileNotFoundError where there is none."""
    fs, root = _open(path)
    return bytes(fs.cat_file(root))


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """A file of the lake to read from."""
    fs, root = _open(path)
    with fs.open(root, "rb") as file:
        yield file


def _remove_others(fs: fsspec.AbstractFileSystem, root: str, keep: set[str]) -> None:
    for entry in fs.ls(root, detail=False):
        if entry.rsplit("/", 1)[-1] not in keep:
            fs.rm(entry, recursive=True)


def _open(table: str) -> tuple[fsspec.AbstractFileSystem, str]:
    return url_to_fs(_url(table))  # type: ignore[no-any-return]


def _url(table: str) -> str:
    return f"{settings().lake_url.rstrip('/')}/{table}"
