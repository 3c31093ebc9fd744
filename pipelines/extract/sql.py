"""Source `sql`: a database that SQLAlchemy supports, with the query and columns that a mapping names."""

import datetime as dt
from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from pipelines import columns as c
from pipelines.extract import statement
from pipelines.extract.database import Database
from pipelines.extract.mapping import load_mapping
from pipelines.extract.mapping_tables import Joined, alternatives
from pipelines.extract.names import resolve
from pipelines.extract.notations import KeptNotation
from pipelines.extract.source import (
    Dialect,
    LastPull,
    Position,
    last_iso_day,
    latest_plausible_day,
    source_name,
)
from pipelines.extract.staging import Staging
from pipelines.extract.values import as_text, decoded, earlier, encoded
from pipelines.run.progress import Progress
from pipelines.settings import Settings
from serving.errors import NightshelfError

PAGE_ROWS = 50_000
CHANGED = "changed"
LAST_ORDER = "last"

Rows = list[tuple[Any, ...]]


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
        mapping.require_no_files(mapping_name)
        if not (url := settings.sql_url.get_secret_value()):
            raise NightshelfError(
                "NIGHTSHELF_SQL_URL is not set: write it as postgresql://user:password@host/shop or"
                " mysql://user:password@host/shop"
            )
        self.dialect: Dialect = mapping
        self.mapping, self.query = mapping, mapping.sql
        self.columns = mapping.file_columns
        self.overlap = dt.timedelta(days=settings.overlap_days)
        self.database = Database(url)
        self.name = source_name("sql", self.database.address)
        self.description = self.database.description
        self.plan = {"mapping": mapping.model_dump(mode="json")}

    @cached_property
    def lines(self) -> sa.Subquery:
        """The mapping's query, with the names of its columns as the database has them.

        Raises NightshelfError, quoting the nearest names, if the query lacks a column of the mapping.
        """
        every: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(self._subquery([])).limit(0)
        with self.database.connected() as connection:
            present = list(connection.execute(every).keys())
        where = f"the query of [sql], run on {self.description}"
        self.names = resolve([*self.columns, self.query.changed], present, where)
        return self._subquery(dict.fromkeys(self.names.values()))

    def last_day(self, last_pull: LastPull | None) -> dt.date:
        """Returns the day of the last order; raises NightshelfError if there is no readable time."""
        written = alternatives(self.mapping.columns[c.ORDERED_AT])
        first = self._column(written[0])
        sample = as_text(self.database.scalar(sa.select(first).where(first.is_not(None)).limit(1))) or ""
        is_iso = len(written) == 1 and last_iso_day([_texts([sample])]) is not None
        day = self._last_iso_day(first) if is_iso else self._last_day_of_all()
        if day:
            return day
        raise NightshelfError(
            f"no time in column {' or '.join(written)!r} of {self.description} can be read as a day up to"
            " today: give --as-of, or correct ordered_at or `times` in the mapping"
        )

    def orders(self, last_pull: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """Writes the order lines to staging; the position is the latest change before reading began."""
        pages = staging.pages()
        note = staging.note(pages[-1]) if pages else {CHANGED: self._latest_change()}
        notation = KeptNotation(self.mapping, note, last_pull, self.description)
        query = self._select(last_pull, note.get(LAST_ORDER))
        rows = self.database.scalar(sa.select(sa.func.count()).select_from(query.order_by(None).subquery()))
        expected, orders = len(pages) + -(-rows // PAGE_ROWS), 0
        for page, chunk in enumerate(self._chunks(query), len(pages)):
            lines = notation.order_lines(self._table(chunk))
            last = [encoded(value) for value in self._key(chunk[-1])]
            staging.write(page, [lines], note | notation.note | {LAST_ORDER: last})
            orders += len({self._key(row) for row in chunk})
            progress(page + 1, max(expected, page + 1), orders)
        return {CHANGED: note[CHANGED]} | notation.note

    def products(self) -> None:
        """Returns None: the query names products only in its order lines."""

    def _subquery(self, columns: Any) -> sa.Subquery:
        return statement.subquery(self.query.lines, columns, self.database.is_mysql)

    def _column(self, name: str) -> "sa.ColumnElement[Any]":
        lines = self.lines
        return lines.c[self.names[name]]

    def _order_parts(self, lines: sa.FromClause) -> "list[sa.ColumnElement[Any]]":
        """Returns the expressions that make an order's id."""
        column = self.mapping.columns[c.ORDER_ID]
        parts: list[sa.ColumnElement[Any]] = [lines.c[self.names[name]] for name in alternatives(column)]
        if isinstance(column, Joined) or len(parts) == 1:
            return parts
        filled = [sa.func.nullif(sa.func.trim(sa.cast(part, sa.Text)), "") for part in parts]
        return [sa.func.coalesce(*filled)]

    @cached_property
    def order_key(self) -> "list[sa.ColumnElement[Any]]":
        """The expressions by which orders are sorted: two lines are of one order if they are equal."""
        parts = self._order_parts(self.lines)
        if self.database.engine.dialect.name == "postgresql":
            return parts
        # Elsewhere a1 and A1 may be equal to the database, but are two orders.
        return [key for part in parts for key in (part, sa.cast(part, sa.LargeBinary))]

    def _key(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        return row[: len(self.order_key)]

    def _latest_change(self) -> Any:
        """Returns the latest change; a later one than tomorrow is a mistake that would hide others."""
        changed = self._column(self.query.changed)
        latest = self._position(self.database.scalar(sa.select(sa.func.max(changed))))
        limit = _day_after_tomorrow()
        if isinstance(latest, str) and last_iso_day([_texts([latest])]) is None and latest > limit:
            earlier_changes = sa.select(sa.func.max(changed)).where(changed < _untyped(limit))
            latest = self._position(self.database.scalar(earlier_changes))
        return latest

    def _position(self, value: Any) -> Any:
        if self.database.is_mysql and isinstance(value, dt.datetime):
            value = value.replace(tzinfo=None)  # the session's zone is UTC
        return encoded(value)

    def _last_iso_day(self, time: "sa.ColumnElement[Any]") -> dt.date | None:
        query = sa.select(sa.func.max(time)).where(time < _untyped(_day_after_tomorrow()))
        return last_iso_day([_texts([as_text(self.database.scalar(query))])])

    def _last_day_of_all(self) -> dt.date | None:
        """Returns the last day of times that the database can't compare, such as 21.09.2026."""
        names = alternatives(self.mapping.columns[c.ORDERED_AT])
        query = sa.select(*[self._column(name) for name in names]).distinct()
        notation = KeptNotation(self.mapping, {}, None, self.description)
        batches = (_table(names, rows) for rows in self.database.batches(query, PAGE_ROWS))
        return last_iso_day(notation.times(rows) for rows in batches)

    def _select(self, last_pull: LastPull | None, last_order: list[Any] | None) -> "sa.Select[Any]":
        """Returns the query of orders changed since the last pull, with ids after the last staged order.

        Its columns are the order's key and the columns of the mapping.
        """
        key, columns = self.order_key, [self._column(name) for name in self.columns]
        labelled = [part.label(f"key_{index}") for index, part in enumerate(key)]
        # Sorted by all columns, so that a line has the same number within its order in every pull.
        query = sa.select(*labelled, *columns).order_by(*key, *columns)
        query = query.where(*[part.is_not(None) for part in key])
        if last_pull and (changed := decoded(last_pull.reached[CHANGED])) is not None:
            query = query.where(self._changed_since(changed))
        return query if last_order is None else query.where(_after(key, [*map(decoded, last_order)]))

    def _changed_since(self, changed: Any) -> "sa.ColumnElement[bool]":
        """Returns the condition that an order has a line changed since then, or without a time of change."""
        others = self.lines.alias("changed_lines")
        changed_at = others.c[self.names[self.query.changed]]
        newer = changed_at.is_(None) | (changed_at >= _untyped(earlier(changed, self.overlap)))
        parts, changed_parts = self._order_parts(self.lines), self._order_parts(others)
        order_id = parts[0] if len(parts) == 1 else sa.tuple_(*parts)
        return order_id.in_(sa.select(*changed_parts).where(newer))

    def _chunks(self, query: "sa.Select[Any]") -> Iterator[Rows]:
        """Yields the rows in chunks; a chunk holds whole orders."""
        pending: Rows = []
        for part in self.database.batches(query, PAGE_ROWS):
            pending += part
            last = self._key(pending[-1])
            if complete := [row for row in pending if self._key(row) != last]:
                yield complete
            pending = [row for row in pending if self._key(row) == last]
        if pending:
            yield pending

    def _table(self, rows: Rows) -> pa.Table:
        """Returns the mapping's columns as strings, with LINE and SOURCE."""
        start = len(self.order_key)
        numbers = [number for _, lines in groupby(rows, self._key) for number, _ in enumerate(lines)]
        table = _table(self.columns, [row[start:] for row in rows])
        source = pa.repeat(pa.scalar("sql"), len(rows))
        return table.append_column(c.LINE, pa.array(numbers)).append_column(c.SOURCE, source)


def _table(names: Any, rows: Rows) -> pa.Table:
    """Returns rows as a table of strings."""
    values = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table({name: _texts(map(as_text, column)) for name, column in zip(names, values, strict=True)})


def _texts(values: Any) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.string())])


def _day_after_tomorrow() -> str:
    """Returns the day from which times are mistakes: no time zone is a whole day ahead of UTC."""
    return str(dt.date.fromisoformat(latest_plausible_day()) + dt.timedelta(days=1))


def _after(key: "list[sa.ColumnElement[Any]]", last: list[Any]) -> "sa.ColumnElement[bool]":
    """Returns the condition that a key comes after another in their order."""
    first, value = key[0], _untyped(last[0])
    if len(key) == 1:
        return first > value
    return (first > value) | ((first == value) & _after(key[1:], last[1:]))


def _untyped(value: Any) -> "sa.BindParameter[Any]":
    """Returns a parameter without a type, so that the database converts it to the column's type."""
    return sa.bindparam(None, value, type_=sa.types.NullType())
