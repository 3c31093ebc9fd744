"""The database that source `sql` reads: its driver, its connections and its errors."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DataError, NoSuchModuleError, SQLAlchemyError

from serving.errors import NightshelfError, TransientError

DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}  # installed, by the scheme of a URL that names no driver
MYSQL = ("mysql", "mariadb")
CONNECT_SECONDS = 10
# SQLSTATE classes of failures that may pass: connection, rollback, resources, interventions.
PASSING_STATES = ("08", "40", "53", "57")
# MySQL's error numbers of such failures: too many connections, locks, time limits.
PASSING_NUMBERS = (1040, 1203, 1205, 1213, 1317, 1969, 3024)


class Database:
    """A database that SQLAlchemy supports; every method raises NightshelfError or TransientError."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.is_mysql = self.engine.dialect.name in MYSQL
        address = self.engine.url.set(username=None, password=None, query={})  # a query may hold a password
        self.address = str(address)
        self.description = f"the database at {self.address}"

    def scalar(self, query: "sa.Select[Any]") -> Any:
        """Returns the only value of a query's only row, None if there is no row."""
        with self.connected() as connection:
            return connection.execute(query).scalar_one_or_none()

    def batches(self, query: "sa.Select[Any]", rows: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yields a query's result from a server-side cursor, at most this many rows at a time."""
        with (
            self.connected() as connection,
            connection.execution_options(yield_per=rows).execute(query) as result,
        ):
            for part in result.partitions():
                yield [tuple(row) for row in part]

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """Opens a connection for the block; its errors become NightshelfError or TransientError."""
        try:
            connection = self.engine.connect()
        except (SQLAlchemyError, ValueError, TypeError) as error:
            raise TransientError(
                f"{self.description} can't be reached ({_cause(error)}): check that it is up and that"
                " NIGHTSHELF_SQL_URL is right"
            ) from None
        try:
            with connection:
                yield connection
        except SQLAlchemyError as error:
            passing = _may_pass(error)
            kind = TransientError if passing else NightshelfError
            advice = "repeat the run" if passing else "correct [sql] or [columns] of the mapping"
            raise kind(
                f"{self.description} failed on the mapping's query: {_cause(error)}; {advice}"
            ) from None


def _engine(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url)
        address = address.set(drivername=DRIVERS.get(address.drivername, address.drivername))
        if "@" in (address.host or ""):
            raise ValueError
        engine = sa.create_engine(address, poolclass=sa.NullPool, connect_args=_options(address))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError, TypeError) as error:
        # SQLAlchemy's message is left out, because it may quote the URL with its password.
        raise NightshelfError(
            f"NIGHTSHELF_SQL_URL can't be used ({type(error).__name__}): write it as"
            " postgresql://user:password@host/shop or mysql://user:password@host/shop, with %40 for an @ in"
            " the password; for another database name its driver and install it"
        ) from None
    sa.event.listen(engine, "handle_error", _give_up_reading)
    return engine


def _options(address: sa.URL) -> dict[str, Any]:
    """Returns the driver's options."""
    if address.drivername == DRIVERS["postgres"]:
        return {"connect_timeout": CONNECT_SECONDS}
    if address.drivername not in (DRIVERS["mysql"], DRIVERS["mariadb"]):
        return {}
    from pymysql.constants import FIELD_TYPE
    from pymysql.converters import conversions

    own = {FIELD_TYPE.TIMESTAMP: _utc_time, FIELD_TYPE.BIT: _bits}
    # A TIMESTAMP is shown in the session's time zone, a DATETIME as it was written.
    session = "SET time_zone = '+00:00'"
    return {"conv": conversions | own, "init_command": session, "connect_timeout": CONNECT_SECONDS}


def _give_up_reading(failure: Any) -> None:
    """Keeps PyMySQL from reading a result on after its connection was lost, which prints errors."""
    if failure.is_disconnect and failure.connection is not None:
        lost = failure.connection.connection.dbapi_connection
        if result := getattr(lost, "_result", None):
            result.unbuffered_active = False


def _utc_time(text: str) -> dt.datetime | str:
    """Returns a MySQL TIMESTAMP of a session in UTC as a time with its zone; other text unchanged."""
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    except ValueError:
        return text


def _bits(data: bytes) -> int:
    return int.from_bytes(data)


def _may_pass(error: SQLAlchemyError) -> bool:
    """Returns whether a repetition may succeed."""
    cause = getattr(error, "orig", None)
    state, number = getattr(cause, "sqlstate", None) or "", (getattr(cause, "args", None) or [None])[0]
    lost = bool(getattr(error, "connection_invalidated", False))
    return lost or state.startswith(PASSING_STATES) or number in PASSING_NUMBERS


def _cause(error: Exception) -> str:
    """Returns the driver's error and the first line of its message, unless that may quote a stored value."""
    cause = getattr(error, "orig", None) or error
    if isinstance(error, DataError):
        return f"{type(cause).__name__}: a stored value doesn't fit the query"
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else 'no reason given'}"
