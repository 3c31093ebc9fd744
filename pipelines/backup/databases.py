"""Rows from one database to another with the same tables, SQLite or PostgreSQL, at one moment of each."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from serving.errors import NightshelfError

BATCH = 1000

Change = Callable[[Any], Any]  # of a value on its way


def unchanged(value: Any) -> Any:
    """The value."""
    return value


def copy(source: str, target: str, tables: sa.MetaData, change: Change = unchanged) -> None:
    """Replaces the rows of tables in one database by those in another.

    source, target: SQLAlchemy URLs. Raises NightshelfError where one of them gives no answer.
    """
    with _snapshot(source) as read, _connected(target) as write:
        ordered = tables.sorted_tables
        for table in reversed(ordered):
            write.execute(sa.delete(table))
        for table in ordered:
            rows = read.execution_options(yield_per=BATCH).execute(sa.select(table))
            for part in rows.mappings().partitions():
                changed = [{name: change(value) for name, value in row.items()} for row in part]
                write.execute(sa.insert(table), changed)
        _go_on_counting(write, ordered)


def clone(source: str, target: str) -> None:
    """Makes a database of SQLite as another is at this moment, whoever writes to it."""
    files = (str(sa.make_url(url).database) for url in (source, target))
    with closing(sqlite3.connect(next(files))) as read, closing(sqlite3.connect(next(files))) as write:
        read.backup(write)


def tables_of(url: str) -> sa.MetaData:
    """The tables that there are in a database, with types that every database has."""
    found = sa.MetaData()

    @sa.event.listens_for(found, "column_reflect")
    def _common(inspector: Any, table: Any, column: dict[str, Any]) -> None:
        column["type"] = column["type"].as_generic()

    with _connected(url) as connection:
        found.reflect(connection)
    return found


def values(url: str, table: str) -> list[tuple[Any, ...]]:
    """The rows of a small table; none where a database lacks it."""
    with _connected(url) as connection:
        if not sa.inspect(connection).has_table(table):
            return []
        return [
            tuple(row) for row in connection.execute(sa.select(sa.text("*")).select_from(sa.table(table)))
        ]


def holds(url: str, tables: Iterable[str]) -> bool:
    """Whether a database has a row in one of some tables; SQLite's may have no file yet."""
    found = sa.make_url(url)
    if found.get_backend_name() == "sqlite" and not Path(str(found.database)).exists():
        return False
    with _connected(url) as connection:
        there = [sa.table(name) for name in tables if sa.inspect(connection).has_table(name)]
        return any(connection.execute(sa.select(sa.text("1")).select_from(table)).first() for table in there)


@contextmanager
def _connected(url: str) -> Iterator[sa.Connection]:
    """A transaction in a database; turns whatever goes wrong there into one NightshelfError."""
    try:
        engine = sa.create_engine(url)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        # What the driver says may quote a row, or the address and a password in it.
        kind = type(getattr(error, "orig", None) or error).__name__
        place = sa.make_url(url).render_as_string(hide_password=True)
        raise NightshelfError(f"the database {place} gives no answer, or is in use ({kind})") from None


@contextmanager
def _snapshot(url: str) -> Iterator[sa.Connection]:
    """A transaction that sees the database as it is at one moment, whatever is written meanwhile."""
    with _connected(url) as connection:
        if connection.dialect.name == "sqlite":  # whose driver begins no transaction to read
            connection.exec_driver_sql("BEGIN")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield connection


def _go_on_counting(connection: sa.Connection, tables: list[sa.Table]) -> None:
    """Lets PostgreSQL's counters of keys go on behind what was written; SQLite's do so by themselves."""
    if connection.dialect.name == "sqlite":
        return
    for key in [column for table in tables for column in table.primary_key]:
        if counter := connection.scalar(sa.func.pg_get_serial_sequence(key.table.name, key.name)):
            last = sa.select(sa.func.coalesce(sa.func.max(key), 1)).scalar_subquery()
            connection.execute(sa.select(sa.func.setval(counter, last)))
