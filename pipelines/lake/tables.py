"""Where the tables live: Parquet under one folder or URL, each replaced whole.

A table is a folder of versions and one small file, CURRENT, that names the version to read. A
version is written beside the others and CURRENT replaced last, so that whoever reads sees the old
table or the new one and never a half; a run that is killed leaves only a version nobody reads.
Nothing is asked of the place but that a file appears whole, which those of a bucket do as well.
The file FORMAT says in which way all this lies there.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import IO, TYPE_CHECKING, Any

import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipelines.lake import files as place
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
FULL = "No space left on device"
STAMP = "FORMAT"
FORMAT = 1  # that of a lake without a stamp, too


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
    fs, root = place.at(path)
    return pq.read_table(root, filesystem=fs, columns=columns, read_dictionary=coded)


def dataset(table: str) -> ds.Dataset:
    """A table of the lake, whose rows can be counted without reading them."""
    fs, root = place.at(current(table))
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
        fs, path = place.folder_at(url)
        pq.write_table(rows, f"{path}/part-0.parquet", filesystem=fs)

    replace(table, save)
    return int(rows.num_rows)


def write_spark(table: str, rows: "DataFrame") -> None:
    """Replaces a table by what Spark computes."""
    replace(table, rows.write.parquet)


def replace(table: str, save: Callable[[str], Any]) -> None:
    """Replaces a table by what `save` writes to the path it is given.

    Raises NightshelfError where the disk is full.
    """
    fs, root = _open(table)
    before = fs.cat_file(f"{root}/{POINTER}").decode() if fs.exists(f"{root}/{POINTER}") else ""
    version = uuid.uuid4().hex
    try:
        with _room(table):
            place.folder_at(_url(table))
            save(f"{_url(table)}/{version}")
    except Exception:
        remove(f"{table}/{version}")  # half of it would take the room of the next try
        raise
    _stamp(settings().lake_url)
    put(f"{table}/{POINTER}", version.encode())
    _remove_others(fs, root, {POINTER, version, before})  # the one before may still be being read


def put(path: str, content: bytes) -> None:
    """Writes a small file of the lake whole."""
    with whole(path) as file:
        file.write(content)


@contextmanager
def whole(path: str) -> Iterator[IO[bytes]]:
    """A file of the lake to write into, which is there once the block ends well: none sees half of it."""
    with _room(path), place.whole_at(_url(path)) as file:
        yield file


def entries(folder: str) -> list[str]:
    """The names in a folder of the lake, in order; none where the folder doesn't exist."""
    fs, root = _open(folder)
    found = fs.ls(root, detail=False) if fs.exists(root) else []
    return sorted(name for entry in found if not (name := entry.rsplit("/", 1)[-1]).startswith("."))


def files(folder: str = "") -> Iterator[str]:
    """The paths of all files of the lake, or of a folder of it, but for hidden ones."""
    (fs, root), (_, inside) = _open(""), _open(folder)
    for path in fs.find(inside) if fs.exists(inside) else ():
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


@contextmanager
def _room(path: str) -> Iterator[None]:
    """A block of writing; raises NightshelfError where Python, Arrow or Spark tell that the disk is full."""
    try:
        yield
    except Exception as error:
        if FULL not in str(error):
            raise
        raise NightshelfError(
            f"{path} can't be written to the lake {settings().lake_url}: {FULL};"
            " make room and run the night again"
        ) from None


def _remove_others(fs: fsspec.AbstractFileSystem, root: str, keep: set[str]) -> None:
    for entry in fs.ls(root, detail=False):
        if entry.rsplit("/", 1)[-1] not in keep:
            fs.rm(entry, recursive=True)


def _open(table: str) -> tuple[fsspec.AbstractFileSystem, str]:
    return place.at(_url(table))


def _url(table: str) -> str:
    _check(settings().lake_url)
    return f"{settings().lake_url.rstrip('/')}/{table}"


@cache
def _check(lake: str) -> None:
    """Nothing where a lake is, or can be; raises NightshelfError where this release can't read it."""
    try:
        found = _format(lake)
    except ImportError:
        raise NightshelfError(
            f"the lake in {lake} needs packages that aren't installed: pip install 'nightshelf[s3]'"
        ) from None
    except FileNotFoundError:
        raise NightshelfError(f"there is no bucket for the lake in {lake}: make it") from None
    except Exception as error:
        raise NightshelfError(
            f"the lake in {lake} can't be reached ({type(error).__name__}): check NIGHTSHELF_LAKE, for a"
            " bucket also AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and the key's rights"
        ) from None
    if found > FORMAT:
        raise NightshelfError(
            f"the lake in {lake} has format {found} of a later release, and this one reads {FORMAT}: run that"
            " release, or restore a backup that this one made"
        )


def _format(lake: str) -> int:
    fs, root = place.at(lake)
    try:
        return int(fs.cat_file(f"{root}/{STAMP}"))
    except FileNotFoundError:
        if place.in_bucket(fs):
            fs.info(root.partition("/")[0])  # raises where there is no such bucket
        return FORMAT


@cache
def _stamp(lake: str) -> None:
    """Writes the format of a lake that doesn't say it yet."""
    fs, root = place.at(f"{lake.rstrip('/')}/{STAMP}")
    if not fs.exists(root):
        put(STAMP, str(FORMAT).encode())
