"""The engine that computes tables: DuckDB in this process, or Spark if NIGHTSHELF_SPARK_MASTER names one.

Steps describe tables as expressions of ibis, which either engine computes. All times are instants: DuckDB
shows and reads them in UTC, as the Spark session does.
"""

import tempfile
from functools import cache
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
import pyarrow.dataset as ds
from ibis.backends import BaseBackend
from ibis.expr.types import Table

from pipelines.lake import files
from pipelines.settings import settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PART = "part-0.parquet"  # the name of a table's only file


def is_spark() -> bool:
    """Returns whether Spark computes the tables."""
    return bool(settings().spark_master)


def backend() -> BaseBackend:
    """Returns the engine's connection, which a process shares.

    Raises NightshelfError if Spark is chosen and can't be started.
    """
    return _spark() if is_spark() else _duckdb(settings().duckdb_memory, str(settings().state / "duckdb"))


def fit_to_size(rows: int) -> None:
    """Lets Spark plan for tables of this many rows; DuckDB plans by itself."""
    if is_spark():
        from pipelines.lake import spark

        spark.set_shuffle_partitions(rows)


def scan(paths: list[str], schema: pa.Schema | None = None) -> Table:
    """Returns the rows of Parquet folders as an expression.

    paths: folders or URLs. schema: the columns to read; a column that a folder lacks is null there. Without a
    schema all folders must have the same columns.
    """
    return _scan_spark(paths, schema) if is_spark() else _scan_duckdb(paths, schema)


def write(rows: Table, url: str) -> None:
    """Writes the rows of an expression as Parquet files in a new folder."""
    if is_spark():
        rows.to_parquet(url)
        return
    fs, folder = files.make_folder(url)
    if files.is_object_store(fs):
        with tempfile.TemporaryDirectory(prefix="nightshelf-") as local:
            rows.to_parquet(f"{local}/{PART}")
            fs.put(f"{local}/{PART}", f"{folder}/{PART}")
    else:
        rows.to_parquet(f"{folder}/{PART}")


def spark_rows(rows: Table) -> "DataFrame":
    """Returns an expression as a Spark DataFrame, for what only Spark's own library does."""
    backend()._run_pre_execute_hooks(rows)
    return _session().sql(backend().compile(rows))


def cached(rows: Table) -> Table:
    """Returns the expression, computed once and kept until it is released or forgotten."""
    if is_spark():
        backend()._run_pre_execute_hooks(rows)  # which ibis forgets before it caches in Spark
    return rows.cache()


def table(rows: pa.Table) -> Table:
    """Returns an Arrow table as an expression."""
    return _named_spark(_session().createDataFrame(rows)) if is_spark() else _named_duckdb(rows)


@cache
def _duckdb(memory: str, folder: str) -> BaseBackend:
    options = {"memory_limit": memory, "temp_directory": folder, "autoinstall_known_extensions": False}
    connection = ibis.duckdb.connect(**options)
    connection.raw_sql("SET TimeZone = 'UTC'")
    connection.raw_sql("SET enable_progress_bar = false")
    connection.raw_sql("SET preserve_insertion_order = false")  # needs less memory
    return connection


def _spark() -> BaseBackend:
    from pipelines.lake import spark

    return _connected(spark.session())


@cache
def _connected(session: object) -> BaseBackend:
    return ibis.pyspark.connect(session)


def _session() -> "SparkSession":
    return backend()._session  # type: ignore[no-any-return]


def _scan_duckdb(paths: list[str], schema: pa.Schema | None) -> Table:
    parts = []
    for path in paths:
        fs, root = files.resolve(path)
        parts.append(ds.dataset(root, filesystem=fs, format="parquet", schema=schema))
    return _named_duckdb(ds.dataset(parts) if len(parts) > 1 else parts[0])


def _scan_spark(paths: list[str], schema: pa.Schema | None) -> Table:
    from pyspark.sql.pandas.types import from_arrow_schema

    reader = _session().read
    return _named_spark((reader.schema(from_arrow_schema(schema)) if schema else reader).parquet(*paths))


def _named_duckdb(rows: pa.Table | ds.Dataset) -> Table:
    connection, name = backend(), ibis.util.gen_name("rows")
    connection.con.register(name, rows)
    return connection.table(name)


def _named_spark(rows: "DataFrame") -> Table:
    connection, name = backend(), ibis.util.gen_name("rows")
    rows.createOrReplaceTempView(name)
    return connection.table(name)
