"""Source `sql`: a database that SQLAlchemy supports, with the query and columns that a mapping names."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from pipelines import columns as c
from pipelines.extract.mapping import load_mapping
from pipelines.extract.source import Dialect, LastPull, Position, last_iso_day, source_name
from pipelines.extract.staging import Staging
from pipelines.run.progress import Progress
from pipelines.settings import Settings
from serving.errors import NightshelfError, TransientError

PAGE_ROWS = 50_000
CHANGED = "changed"
LAST_ORDER = "last"


class SqlSource:
    """Source `sql`: the order lines that a SELECT returns.

    If one line of an order has changed, all its lines are read again. Orders are read by ascending id, so
    that a killed run resumes after the last staged order.
    """

    def __init__(self, settings: Settings, mapping_name: str) -> None:
        mapping = load_mapping(mapping_name)
        if mapping.sql is None:
            raise NightshelfError(
                f"mapping {mapping_name!r} lacks [sql]: add `lines`, the query of all order lines, and"
                " `changed`, the column with each order's last change"
            )
        if not (url := settings.sql_url.get_secret_value()):
            raise NightshelfError(
                "NIGHTSHELF_SQL_URL is not set: write it as postgresql+psycopg://user:password@host/shop"
            )
        self.dialect: Dialect = mapping
        self.columns, self.query = mapping.columns, mapping.sql
        self.overlap = dt.timedelta(days=settings.overlap_days)
        self.engine = _engine(url)
        address = self.engine.url.set(username=None, password=None, query={})  # a query may hold a password
        self.name = source_name("sql", str(address))
        self.description = f"the database at {address}"
        self.plan = {"columns": self.columns, "sql": self.query.model_dump()}
        query_columns = {*self.columns.values(), self.query.changed}
        self.lines = (
            sa.text(f"{self.query.lines.rstrip().rstrip(';')}\n")
            .columns(*map(sa.column, sorted(query_columns)))
            .subquery("lines")
        )

    def last_day(self, last_pull: LastPull | None) -> dt.date:
        """Returns the day of the last order; raises NightshelfError if its time begins with no ISO date."""
        time = self._column(c.ORDERED_AT)
        # Later times are mistakes, because no time zone is a whole day ahead of UTC.
        limit = _untyped(str(dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)))
        latest = self._scalar(sa.select(sa.func.max(time)).where(time < limit))
        if day := last_iso_day([pa.chunked_array([[None if latest is None else str(latest)]], pa.string())]):
            return day
        raise NightshelfError(
            f"the last time in column {self.columns[c.ORDERED_AT]!r} of {self.description} does not begin"
            " with an ISO date up to today: give --as-of, or correct ordered_at in the mapping"
        )

    def orders(self, last_pull: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """Writes the order lines to staging; the position is the latest change before reading began."""
        pages = staging.pages()
        note = staging.note(pages[-1]) if pages else {CHANGED: self._latest_change()}
        query = self._select(last_pull, note.get(LAST_ORDER))
        rows = self._scalar(sa.select(sa.func.count()).select_from(query.subquery()))
        expected, orders = len(pages) + -(-rows // PAGE_ROWS), 0
        order_id = self._index(c.ORDER_ID)
        for page, chunk in enumerate(self._chunks(query), len(pages)):
            staging.write(page, [self._table(chunk)], note | {LAST_ORDER: _json_value(chunk[-1][order_id])})
            orders += len({row[order_id] for row in chunk})
            progress(page + 1, max(expected, page + 1), orders)
        return {CHANGED: note[CHANGED]}

    def products(self) -> None:
        """Returns None: the query names products only in its order lines."""

    def _latest_change(self) -> Any:
        return _json_value(self._scalar(sa.select(sa.func.max(self.lines.c[self.query.changed]))))

    def _column(self, name: str) -> "sa.ColumnElement[Any]":
        return self.lines.c[self.columns[name]]

    def _index(self, name: str) -> int:
        return list(self.columns).index(name)

    def _select(self, last_pull: LastPull | None, last_order: Any) -> "sa.Select[Any]":
        """Returns the query of orders changed since the last pull, with ids after the last staged order."""
        order_id = self._column(c.ORDER_ID)
        columns = [self._column(name) for name in self.columns]
        # Sorted by all columns, so that a line has the same number within its order in every pull.
        query = sa.select(*columns).where(order_id.is_not(None)).order_by(order_id, *columns)
        if last_pull and (changed := last_pull.reached[CHANGED]) is not None:
            others = self.lines.alias("others")
            changed_at = others.c[self.query.changed]
            newer = changed_at.is_(None) | (changed_at >= _untyped(_earlier(changed, self.overlap)))
            query = query.where(order_id.in_(sa.select(others.c[self.columns[c.ORDER_ID]]).where(newer)))
        return query if last_order is None else query.where(order_id > _untyped(last_order))

    def _chunks(self, query: "sa.Select[Any]") -> Iterator[list[tuple[Any, ...]]]:
        """Yields the rows in chunks from a server-side cursor; a chunk holds whole orders."""
        order_id = self._index(c.ORDER_ID)
        pending: list[tuple[Any, ...]] = []
        with self._connected() as connection:
            for part in connection.execution_options(yield_per=PAGE_ROWS).execute(query).partitions():
                pending += map(tuple, part)
                last = pending[-1][order_id]
                if complete := [row for row in pending if row[order_id] != last]:
                    yield complete
                pending = [row for row in pending if row[order_id] == last]
        if pending:
            yield pending

    def _table(self, rows: list[tuple[Any, ...]]) -> pa.Table:
        columns = {
            name: pa.array(map(_text, values), pa.string())
            for name, values in zip(self.columns, zip(*rows, strict=True), strict=True)
        }
        lines = _line_numbers(rows, self._index(c.ORDER_ID))
        return pa.table(columns | {c.LINE: lines, c.SOURCE: pa.repeat(pa.scalar("sql"), len(rows))})

    def _scalar(self, query: "sa.Select[Any]") -> Any:
        with self._connected() as connection:
            return connection.execute(query).scalar_one()

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
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
            lost = getattr(error, "connection_invalidated", False)
            kind = TransientError if lost else NightshelfError
            advice = "repeat the run" if lost else "correct [sql] or [columns] of the mapping"
            raise kind(
                f"{self.description} failed on the mapping's query: {_cause(error)}; {advice}"
            ) from None


def _engine(url: str) -> sa.Engine:
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        if "@" in (engine.url.host or ""):
            raise ValueError
        return engine
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError, TypeError) as error:
        # SQLAlchemy's message is left out, because it may quote the URL with its password.
        raise NightshelfError(
            f"NIGHTSHELF_SQL_URL can't be used ({type(error).__name__}): write it as"
            " postgresql+psycopg://user:password@host/shop, with %40 for an @ in the password, and install"
            " the database's driver"
        ) from None


def _untyped(value: Any) -> "sa.BindParameter[Any]":
    """Returns a parameter without a type, so that the database converts it to the column's type."""
    return sa.bindparam(None, value, type_=sa.types.NullType())


def _json_value(value: Any) -> int | float | str | None:
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.hex()
    return None if value is None else str(value)


def _earlier(changed: int | float | str, overlap: dt.timedelta) -> int | float | str:
    """Returns a time minus the overlap, in the same notation; other values are returned unchanged."""
    if not isinstance(changed, str):
        return changed
    try:
        return str(dt.datetime.fromisoformat(changed) - overlap)
    except (ValueError, OverflowError):
        return changed


def _line_numbers(rows: list[tuple[Any, ...]], order_id: int) -> list[int]:
    """Returns the number of each row within its order, from 0; rows of an order are adjacent."""
    return [number for _, lines in groupby(rows, lambda row: row[order_id]) for number, _ in enumerate(lines)]


def _cause(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else 'no reason given'}"
