"""Where an export goes: a file or a database's table, written beside and then put in place whole."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from pipelines.lake import files
from serving.errors import NightshelfError

Write = Callable[[pa.Table], Any]

WRITERS: dict[str, Callable[[Any, pa.Schema], Any]] = {".csv": csv.CSVWriter, ".parquet": pq.ParquetWriter}
DATABASES = ("postgresql", "sqlite")  # which rename a table within a transaction
TYPES = {pa.string(): sa.Text, pa.int32(): sa.Integer, pa.float32(): sa.REAL}
TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")
BESIDE = "_beside"


def opened(to: str, schema: pa.Schema, key: list[str], table: str) -> AbstractContextManager[Write]:
    """What writes rows of a schema to a place, where all of them appear once the block ends well.

    to: a path or an fsspec URL that ends in .csv or .parquet, or the SQLAlchemy URL of a database, in which
    the table of that name is replaced. key: the columns of its primary key. Raises NightshelfError where
    that isn't possible.
    """
    if (url := _database(to)) is not None:
        return _into_table(url, schema, key, table)
    writer = next((made for suffix, made in WRITERS.items() if to.endswith(suffix)), None)
    if writer is None:
        raise NightshelfError(
            "--to says neither a file nor a database: write FILE.parquet, FILE.csv, sqlite:///FILE or"
            " postgresql+psycopg://user:password@host/database"
        )
    try:
        files.resolve(to)
    except (ValueError, ImportError) as error:
        raise NightshelfError(f"--to names a place of a kind that isn't known here: {error}") from None
    return _into_file(to, schema, writer)


def shown(to: str) -> str:
    """The place without a password."""
    url = _database(to)
    return to if url is None else url.render_as_string(hide_password=True)


def _database(to: str) -> sa.URL | None:
    try:
        url = sa.make_url(to)
    except ArgumentError:
        return None
    return url if url.get_backend_name() in DATABASES else None


@contextmanager
def _into_file(to: str, schema: pa.Schema, writer: Callable[[Any, pa.Schema], Any]) -> Iterator[Write]:
    try:
        with files.atomic_write(to) as file, writer(file, schema) as rows:
            yield rows.write_table
    except OSError as error:
        raise NightshelfError(
            f"the file of --to can't be written ({type(error).__name__}): may its folder be written?"
        ) from None


@contextmanager
def _into_table(url: sa.URL, schema: pa.Schema, key: list[str], name: str) -> Iterator[Write]:
    if not TABLE_NAME.fullmatch(name):
        raise NightshelfError("--table is no plain name: use up to 50 letters, digits and underscores")
    with _connecting(url) as engine:
        _refuse_other(engine, schema, name)
        beside = _made(engine, schema, key, name + BESIDE)
        yield lambda rows: _insert(engine, beside, rows)
        _swap(engine, beside, name)


@contextmanager
def _connecting(url: sa.URL) -> Iterator[sa.Engine]:
    """What connects to a database until the block ends; turns what that raises into one NightshelfError."""
    try:
        engine = sa.create_engine(url)
        try:
            yield engine
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError, OSError) as error:
        # What the driver says may quote a row, or the address and a password in it.
        kind = type(getattr(error, "orig", None) or error).__name__
        raise NightshelfError(
            f"the database of --to can't be written ({kind}): check its address, the user's rights,"
            " and that nobody else exports there"
        ) from None


def _refuse_other(engine: sa.Engine, schema: pa.Schema, name: str) -> None:
    """Raises NightshelfError where the table exists and holds something else."""
    looked = sa.inspect(engine)
    if looked.has_table(name) and [one["name"] for one in looked.get_columns(name)] != schema.names:
        raise NightshelfError(
            f"the table {name} of --to is there and is no such export: give another --table"
        )


def _made(engine: sa.Engine, schema: pa.Schema, key: list[str], name: str) -> sa.Table:
    """A new table; one that an export left that was killed goes."""
    columns = [
        sa.Column(one.name, TYPES[one.type], primary_key=one.name in key, nullable=False) for one in schema
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


def _swap(engine: sa.Engine, beside: sa.Table, name: str) -> None:
    """Puts the table in the place of the one of that name, for all others at one moment."""
    quote = engine.dialect.identifier_preparer.quote
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":  # whose driver begins no transaction for these by itself
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(name)}")
        connection.exec_driver_sql(f"ALTER TABLE {quote(beside.name)} RENAME TO {quote(name)}")
