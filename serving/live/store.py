"""The store: the database of product changes, customers' events, orders and forgotten customers.

It is SQLite or PostgreSQL. A write is on disk before the call returns. Every change of a product and every
erasure has a number, and numbers only grow, so one small query shows a worker whether there are new changes.
The modules `changeset`, `events`, `orders` and `erasures` read and write the tables.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from serving.errors import NightshelfError, StoreError
from serving.live.store_file import StoreFile
from serving.live.tables import counter, format_table, metadata

MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_DAY = 86_400 * MICROSECONDS_PER_SECOND
TIMEOUT_SECONDS = 5  # for a connection, a statement, or SQLite's write lock
FORMAT = 1  # of the tables; a store without a format number has this format
LOCK_ID = 7_061_952  # PostgreSQL advisory lock; any number that nothing else in the database uses


class Store:
    """The connections to the database, which any number of processes may share.

    Every method, and every statement on its connections, raises StoreError if the database doesn't answer.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        # With autocommit a single statement needs no round trips for BEGIN and COMMIT. It is a second engine
        # because switching a connection's isolation level for each statement takes longer than the statement.
        self._reader = _engine(url, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self.insert = sqlite.insert if self.is_sqlite else postgresql.insert
        self.file = StoreFile(Path(str(self._engine.url.database))) if self.is_sqlite else None

    def prepare(self) -> None:
        """Creates missing tables; raises StoreError for a later release's tables and for a damaged file."""
        if self.file:
            self.close()  # connections may hold a file that was replaced
            self.file.prepare()
            with self._explained(self._reader.connect) as connection:
                self.file.check(connection)
        with self.transaction() as connection:
            for table in self._missing_tables(connection):
                connection.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    connection.execute(CreateIndex(index, if_not_exists=True))
            for table, number in ((counter, 0), (format_table, FORMAT)):
                connection.execute(self.insert(table).values(id=1, number=number).on_conflict_do_nothing())
            format_number = connection.execute(sa.select(format_table.c.number)).scalar_one()
        if format_number > FORMAT:
            raise StoreError(
                f"the store of changes and events has format {format_number} of a later release; this release"
                f" reads format {FORMAT}: run the later release, or restore a backup made by this one"
            )

    def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        self._engine.dispose()
        self._reader.dispose()

    def transaction(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Opens a connection whose changes are committed together at the end of the block."""
        self.require_whole()
        return self._explained(self._engine.begin)

    def reading(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Opens a connection for statements that read, each on its own."""
        return self._explained(self._reader.connect)

    def require_whole(self) -> None:
        """Raises StoreError if the file of a store in SQLite is known to be damaged, or was replaced."""
        if self.file:
            self.file.require_whole()

    @contextlib.contextmanager
    def _explained(self, opened: Any) -> Iterator[sa.Connection]:
        """Yields a connection, and turns the errors of the database into StoreError."""
        try:
            with opened() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            cause = getattr(error, "orig", None)
            if self.file:
                self.file.note(cause)
            self.require_whole()
            # The driver's own message may quote a row, or the address and a password in it.
            kind = type(cause or error).__name__
            raise StoreError(
                f"the store of changes and events doesn't answer ({kind}): check NIGHTSHELF_STORE_URL"
            ) from None

    def _missing_tables(self, connection: sa.Connection) -> list[sa.Table]:
        """Returns the tables to create; in PostgreSQL, other workers wait until this transaction has ended.

        In PostgreSQL a table that two workers create at once is an error, and "create index if not exists"
        locks a table even if the index exists, which can deadlock with writers: so existing tables are left.
        """
        if self.is_sqlite:
            return metadata.sorted_tables
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_ID)))
        existing = sa.inspect(connection).get_table_names()
        return [table for table in metadata.sorted_tables if table.name not in existing]


def next_number(connection: sa.Connection) -> int:
    """Returns the number of this transaction's change.

    Other callers wait until the transaction has ended, so that numbers are committed in ascending order.
    """
    connection.execute(sa.update(counter).values(number=counter.c.number + 1))
    return int(connection.execute(sa.select(counter.c.number)).scalar_one())


def now_microseconds() -> int:
    """Returns the present time in microseconds since 1970."""
    return time.time_ns() // 1000


def _engine(url: str, **options: Any) -> sa.Engine:
    try:
        address = sa.make_url(url)
        if address.get_backend_name() == "sqlite":
            return _sqlite(address, options)
        if address.get_backend_name() != "postgresql":
            raise ValueError
        timeouts = {
            "connect_timeout": TIMEOUT_SECONDS,
            "options": f"-c statement_timeout={TIMEOUT_SECONDS * 1000}",
        }
        return sa.create_engine(address, connect_args=timeouts, **options)
    except (ArgumentError, ImportError, ValueError, TypeError):
        # SQLAlchemy's own message may quote the URL, and with it the password.
        raise NightshelfError(
            "NIGHTSHELF_STORE_URL can't be used: write it as postgresql+psycopg://user:password@host/nightshelf,"
            " an @ in a password as %40, or leave it empty for a file in HOME/.nightshelf"
        ) from None


def _sqlite(address: sa.URL, options: dict[str, Any]) -> sa.Engine:
    if not address.database:
        raise ValueError
    engine = sa.create_engine(address, connect_args={"timeout": TIMEOUT_SECONDS}, **options)

    @sa.event.listens_for(engine, "connect")
    def _set_pragmas(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")  # readers don't wait for a writer
        connection.execute("PRAGMA synchronous = FULL")  # a commit is on disk when it returns

    return engine
