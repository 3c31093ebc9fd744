"""A database that SQLAlchemy knows, whose query and columns a mapping names."""

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

ROWS = 50_000  # per page
CHANGED = "changed"
LAST = "last"


class SqlSource:
    """Source `sql`: the order lines that a SELECT gives.

    Asked for again are all lines of each order of which one changed, ascending by order id, so that a
    run that was killed goes on after the last order it has.
    """

    def __init__(self, settings: Settings, mapping_name: str) -> None:
        found = load_mapping(mapping_name)
        if found.sql is None:
            raise NightshelfError(f"mapping {mapping_name!r} lacks [sql] with lines and changed")
        if not (url := settings.sql_url.get_secret_value()):
            raise NightshelfError(
                "NIGHTSHELF_SQL_URL is not set: write it as postgresql+psycopg://user:password@host/shop"
            )
        self.dialect: Dialect = found
        self.columns, self.query = found.columns, found.sql
        self.overlap = dt.timedelta(days=settings.overlap_days)
        self.engine = _engine(url)
        place = self.engine.url.set(username=None, password=None, query={})  # a query may hold a password too
        self.name = source_name("sql", str(place))
        self.description = f"the database at {place}"
        self.plan = {"columns": self.columns, "sql": self.query.model_dump()}
        theirs = {*self.columns.values(), self.query.changed}
        self.lines = (
            sa.text(f"{self.query.lines.rstrip().rstrip(';')}\n")
            .columns(*map(sa.column, sorted(theirs)))
            .subquery("lines")
        )

    def last_day(self, since: LastPull | None) -> dt.date:
        """The day of the last order; raises NightshelfError where no time begins with an ISO date."""
        at = self._ours(c.ORDERED_AT)
        soon = _bound(str(dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)))  # later ones are mistakes
        latest = self._one(sa.select(sa.func.max(at)).where(at < soon))
        if day := last_iso_day([pa.chunked_array([[None if latest is None else str(latest)]], pa.string())]):
            return day
        raise NightshelfError(
            f"the last time in column {self.columns[c.ORDERED_AT]!r} is no ISO date up to today: give --as-of"
        )

    def orders(self, since: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """The latest change there was before anything was read; the lines are in staging."""
        pages = staging.pages()
        note = staging.note(pages[-1]) if pages else {CHANGED: self._latest_change()}
        asked = self._select(since, note.get(LAST))
        rows = self._one(sa.select(sa.func.count()).select_from(asked.subquery()))
        known, orders = len(pages) + -(-rows // ROWS), 0
        for page, chunk in enumerate(self._chunks(asked), len(pages)):
            last = _plain(chunk[-1][self._place(c.ORDER_ID)])
            staging.write(page, [self._table(chunk)], note | {LAST: last})
            orders += len({row[self._place(c.ORDER_ID)] for row in chunk})
            progress(page + 1, max(known, page + 1), orders)
        return {CHANGED: note[CHANGED]}

    def products(self) -> None:
        """Nothing: what is known of products stands beside their sales."""

    def _latest_change(self) -> Any:
        return _plain(self._one(sa.select(sa.func.max(self.lines.c[self.query.changed]))))

    def _ours(self, name: str) -> "sa.ColumnElement[Any]":
        return self.lines.c[self.columns[name]]

    def _place(self, name: str) -> int:
        return list(self.columns).index(name)

    def _select(self, since: LastPull | None, last: Any) -> "sa.Select[Any]":
        order = self._ours(c.ORDER_ID)
        columns = [self._ours(name) for name in self.columns]
        # Lines in an order of their own, so that the same lines have the same numbers the next time.
        asked = sa.select(*columns).where(order.is_not(None)).order_by(order, *columns)
        if since and (changed := since.reached[CHANGED]) is not None:
            others = self.lines.alias("others")
            when = others.c[self.query.changed]
            newer = when.is_(None) | (when >= _bound(_earlier(changed, self.overlap)))
            asked = asked.where(order.in_(sa.select(others.c[self.columns[c.ORDER_ID]]).where(newer)))
        return asked if last is None else asked.where(order > _bound(last))

    def _chunks(self, asked: "sa.Select[Any]") -> Iterator[list[tuple[Any, ...]]]:
        """The rows by and by, from a cursor that the database keeps; no order is divided."""
        order = self._place(c.ORDER_ID)
        held: list[tuple[Any, ...]] = []
        with self._connected() as connection:
            for part in connection.execution_options(yield_per=ROWS).execute(asked).partitions():
                held += map(tuple, part)
                last = held[-1][order]
                if whole := [row for row in held if row[order] != last]:
                    yield whole
                held = [row for row in held if row[order] == last]
        if held:
            yield held

    def _table(self, rows: list[tuple[Any, ...]]) -> pa.Table:
        columns = {
            name: pa.array(map(_text, values), pa.string())
            for name, values in zip(self.columns, zip(*rows, strict=True), strict=True)
        }
        lines = _numbered(rows, self._place(c.ORDER_ID))
        return pa.table(columns | {c.LINE: lines, c.SOURCE: pa.repeat(pa.scalar("sql"), len(rows))})

    def _one(self, asked: "sa.Select[Any]") -> Any:
        with self._connected() as connection:
            return connection.execute(asked).scalar_one()

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        try:
            connection = self.engine.connect()
        except (SQLAlchemyError, ValueError, TypeError) as error:
            raise TransientError(
                f"{self.description} can't be reached ({_cause(error)}): is it up, is NIGHTSHELF_SQL_URL right?"
            ) from None
        try:
            with connection:
                yield connection
        except SQLAlchemyError as error:
            kind = TransientError if getattr(error, "connection_invalidated", False) else NightshelfError
            raise kind(f"{self.description} refused the query of the mapping: {_cause(error)}") from None


def _engine(url: str) -> sa.Engine:
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        if "@" in (engine.url.host or ""):
            raise ValueError
        return engine
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError, TypeError) as error:
        # What SQLAlchemy says may quote the URL, and with it the password.
        raise NightshelfError(
            f"NIGHTSHELF_SQL_URL can't be used ({type(error).__name__}): write it as"
            " postgresql+psycopg://user:password@host/shop, an @ in it as %40; is the driver installed?"
        ) from None


def _bound(value: Any) -> "sa.BindParameter[Any]":
    """A value without a type of its own, so that the database takes the column's."""
    return sa.bindparam(None, value, type_=sa.types.NullType())


def _plain(value: Any) -> int | float | str | None:
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.hex()
    return None if value is None else str(value)


def _earlier(changed: int | float | str, overlap: dt.timedelta) -> int | float | str:
    """A moment so much earlier, written as it was; what is no time as it is."""
    if not isinstance(changed, str):
        return changed
    try:
        return str(dt.datetime.fromisoformat(changed) - overlap)
    except (ValueError, OverflowError):
        return changed


def _numbered(rows: list[tuple[Any, ...]], order: int) -> list[int]:
    """The place of each line in its order."""
    return [place for _, lines in groupby(rows, lambda row: row[order]) for place, _ in enumerate(lines)]


def _cause(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else 'no reason given'}"
