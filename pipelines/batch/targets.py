"""Targets of an export: a file or a database table, replaced atomically once the new one is complete."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from pipelines.lake import files
from serving.errors import NightshelfError

Write = Callable[[pa.Table], Any]

FORMULA = r"^([=+\-@＝＋－＠\t\r\n])"  # how a text begins that a spreadsheet would compute


class CsvWriter(csv.CSVWriter):  # type: ignore[misc] # PyArrow ships no types
    """Writes CSV in which each text stays a text in a spreadsheet: an apostrophe is put before a formula."""

    def write_table(self, rows: pa.Table, max_chunksize: int | None = None) -> None:
        """Writes rows."""
        columns = [
            pc.replace_substring_regex(column, FORMULA, r"'\1") if column.type == pa.string() else column
            for column in rows.columns
        ]
        super().write_table(pa.table(columns, schema=rows.schema), max_chunksize)


WRITERS: dict[str, Callable[[Any, pa.Schema], Any]] = {".csv": CsvWriter, ".parquet": pq.ParquetWriter}
DATABASES = ("postgresql", "sqlite")  # both can rename a table within a transaction
TYPES = {pa.string(): sa.Text, pa.int32(): sa.Integer, pa.float32(): sa.REAL}
TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")
STAGING = "_beside"  # suffix of the table that is written before it replaces the old one


def open_target(to: str, schema: pa.Schema, key: list[str], table: str) -> AbstractContextManager[Write]:
    """Returns a context manager that yields a function to write rows.

    The rows become visible together when the block ends without an error.
    to: a path or fsspec URL that ends in .csv or .parquet, or the SQLAlchemy URL of a database, in which
    `table` is replaced. key: the columns of that table's primary key. Raises NightshelfError if the target
    cannot be written.
    """
    if (url := _database(to)) is not None:
        return _into_table(url, schema, key, table)
    writer = next((writer for suffix, writer in WRITERS.items() if to.endswith(suffix)), None)
    if writer is None:
        raise NightshelfError(
            "--to is neither a file nor a database: use FILE.parquet, FILE.csv, sqlite:///FILE or"
            " postgresql+psycopg://user:password@host/database"
        )
    try:
        files.resolve(to)
    except (ValueError, ImportError) as error:
        kind = type(error).__name__  # its message may quote the URL
        raise NightshelfError(f"--to is a URL of an unknown or uninstalled kind ({kind})") from None
    return _into_file(to, schema, writer)


def _database(to: str) -> sa.URL | None:
    try:
        url = sa.make_url(to)
    except ArgumentError:
        return None
    return url if url.get_backend_name() in DATABASES else None


@contextmanager
def _into_file(to: str, schema: pa.Schema, writer: Callable[[Any, pa.Schema], Any]) -> Iterator[Write]:
    try:
        with files.atomic_write(to) as file, writer(file, schema) as table_writer:
            yield table_writer.write_table
    except OSError as error:
        raise NightshelfError(
            f"cannot write the file of --to ({type(error).__name__}): check that its folder is writable"
        ) from None


@contextmanager
def _into_table(url: sa.URL, schema: pa.Schema, key: list[str], name: str) -> Iterator[Write]:
    if not TABLE_NAME.fullmatch(name):
        raise NightshelfError("--table is not a plain name: use up to 50 letters, digits and underscores")
    with _engine(url) as engine:
        _check_existing(engine, schema, name)
        staging = _create(engine, schema, key, name + STAGING)
        yield lambda rows: _insert(engine, staging, rows)
        _swap(engine, staging, name)


@contextmanager
def _engine(url: sa.URL) -> Iterator[sa.Engine]:
    """Yields the engine of a database for the block; raises NightshelfError for every database error."""
    try:
        engine = sa.create_engine(url)
        try:
            yield engine
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError, OSError) as error:
        # The driver's message may quote a row, or an address with its password.
        kind = type(getattr(error, "orig", None) or error).__name__
        raise NightshelfError(
            f"cannot write the database of --to ({kind}): check its address and the user's rights, and that"
            " no other export writes there"
        ) from None


def _check_existing(engine: sa.Engine, schema: pa.Schema, name: str) -> None:
    """Raises NightshelfError if the table exists with other columns."""
    inspector = sa.inspect(engine)
    if inspector.has_table(name) and [col["name"] for col in inspector.get_columns(name)] != schema.names:
        raise NightshelfError(
            f"the table {name} of --to exists with other columns than the export: choose another --table"
        )


def _create(engine: sa.Engine, schema: pa.Schema, key: list[str], name: str) -> sa.Table:
    """Creates a table; first drops the table that a killed export has left."""
    columns = [
        sa.Column(field.name, TYPES[field.type], primary_key=field.name in key, nullable=False)
        for field in schema
    ]
    table = sa.Table(name, sa.MetaData(), *columns)
    with engine.begin() as connection:
        table.drop(connection, checkfirst=True)
        table.create(connection)
    return table


def _insert(engine: sa.Engine, table: sa.Table, rows: pa.Table) -> None:
    if rows.num_rows:
        with engine.begin() as connection:
            connection.execute(sa.insert(table), rows.to_pylist())


def _swap(engine: sa.Engine, staging: sa.Table, name: str) -> None:
    """Replaces the table of a name by the staging table, in one transaction."""
    quote = engine.dialect.identifier_preparer.quote
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":  # its driver begins no transaction for DDL
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(name)}")
        connection.exec_driver_sql(f"ALTER TABLE {quote(staging.name)} RENAME TO {quote(name)}")
