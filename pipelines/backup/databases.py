"""Copies rows between databases with the same tables, SQLite or PostgreSQL, from a consistent snapshot."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from serving.errors import NightshelfError, without_secrets

BATCH = 1000  # rows

Convert = Callable[[Any], Any]  # applied to each value


def unchanged(value: Any) -> Any:
    """Returns the value."""
    return value


def copy(source: str, target: str, tables: sa.MetaData, convert: Convert = unchanged) -> None:
    """Replaces the rows of tables in the target database by those in the source.

    source, target: SQLAlchemy URLs. Raises NightshelfError if either database does not respond.
    """
    with _snapshot(source) as reader, _connect(target) as writer:
        ordered = tables.sorted_tables
        for table in reversed(ordered):
            writer.execute(sa.delete(table))
        for table in ordered:
            rows = reader.execution_options(yield_per=BATCH).execute(sa.select(table))
            for batch in rows.mappings().partitions():
                converted = [{name: convert(value) for name, value in row.items()} for row in batch]
                writer.execute(sa.insert(table), converted)
        _advance_sequences(writer, ordered)


def copy_sqlite(source: str, target: str) -> None:
    """Copies a whole SQLite database by SQLAlchemy URLs, consistently even during writes."""
    paths = (str(sa.make_url(url).database) for url in (source, target))
    with closing(sqlite3.connect(next(paths))) as reader, closing(sqlite3.connect(next(paths))) as writer:
        reader.backup(writer)


def reflect(url: str) -> sa.MetaData:
    """Returns the tables of a database, with column types that SQLite and PostgreSQL share."""
    metadata = sa.MetaData()

    @sa.event.listens_for(metadata, "column_reflect")
    def _generic(inspector: Any, table: Any, column: dict[str, Any]) -> None:
        column["type"] = column["type"].as_generic()

    with _connect(url) as connection:
        metadata.reflect(connection)
    return metadata


def read_table(url: str, table: str) -> list[tuple[Any, ...]]:
    """Returns all rows of a small table; empty if the database lacks the table."""
    with _connect(url) as connection:
        if not sa.inspect(connection).has_table(table):
            return []
        rows = connection.execute(sa.select(sa.text("*")).select_from(sa.table(table)))
        return [tuple(row) for row in rows]


def has_rows(url: str, tables: Iterable[str]) -> bool:
    """Returns whether any of the tables has a row; False if the SQLite file does not exist."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        return False
    with _connect(url) as connection:
        existing = [sa.table(name) for name in tables if sa.inspect(connection).has_table(name)]
        first = sa.select(sa.text("1"))
        return any(connection.execute(first.select_from(table)).first() for table in existing)


@contextmanager
def _connect(url: str) -> Iterator[sa.Connection]:
    """Yields a transaction in a database; raises NightshelfError for every database error."""
    try:
        engine = sa.create_engine(url)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        # The driver's message may quote a row, or an address with its password.
        kind = type(getattr(error, "orig", None) or error).__name__
        raise NightshelfError(
            f"the database {without_secrets(url)} does not respond or is locked ({kind}): check that it is up"
            " and that no other program locks it"
        ) from None


@contextmanager
def _snapshot(url: str) -> Iterator[sa.Connection]:
    """Yields a transaction that sees the database as it was at its start, despite later writes."""
    with _connect(url) as connection:
        if connection.dialect.name == "sqlite":  # its driver begins no transaction for a read
            connection.exec_driver_sql("BEGIN")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield connection


def _advance_sequences(connection: sa.Connection, tables: list[sa.Table]) -> None:
    """Sets PostgreSQL's key sequences to the highest inserted key; SQLite needs nothing."""
    if connection.dialect.name == "sqlite":
        return
    for key in [column for table in tables for column in table.primary_key]:
        if sequence := connection.scalar(sa.func.pg_get_serial_sequence(key.table.name, key.name)):
            highest = sa.select(sa.func.coalesce(sa.func.max(key), 1)).scalar_subquery()
            connection.execute(sa.select(sa.func.setval(sequence, highest)))
