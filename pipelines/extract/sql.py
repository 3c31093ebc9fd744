"""Source `sql`: a database that SQLAlchemy supports, with the query and columns that a mapping names."""

import datetime as dt
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from pipelines import columns as c
from pipelines.extract.database import Database
from pipelines.extract.keyed_pull import CHANGED, KeyedPull, Page
from pipelines.extract.mapping import load_mapping
from pipelines.extract.mapping_tables import alternatives
from pipelines.extract.notations import KeptNotation
from pipelines.extract.order_query import OrderQuery, Row, untyped
from pipelines.extract.source import (
    Dialect,
    LastPull,
    Position,
    last_iso_day,
    latest_plausible_day,
    source_name,
)
from pipelines.extract.staging import Staging
from pipelines.extract.values import as_text, decoded, encoded
from pipelines.run.progress import Progress
from pipelines.settings import Settings
from serving.errors import NightshelfError

PAGE_ROWS = 50_000

Rows = list[Row]


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
        self.mapping = mapping
        self.overlap = dt.timedelta(days=settings.overlap_days)
        self.database = Database(url)
        self.query = OrderQuery(self.database, mapping, mapping.sql)
        self.name = source_name("sql", self.database.address)
        self.description = self.database.description
        self.plan = {"mapping": mapping.model_dump(mode="json")}

    def last_day(self, last_pull: LastPull | None) -> dt.date:
        """Returns the day of the last order; raises NightshelfError if there is no readable time."""
        written = alternatives(self.mapping.columns[c.ORDERED_AT])
        first = self.query.column(written[0])
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
        pull = KeyedPull(self.mapping, last_pull, staging, self.description, self._latest_change)
        since = decoded(last_pull.reached[CHANGED]) if last_pull else None
        after = None if pull.last is None else [*map(decoded, pull.last)]
        query = self.query.select(since, self.overlap, after)
        rows = self.database.scalar(sa.select(sa.func.count()).select_from(query.order_by(None).subquery()))
        return pull.stage(map(self._page, self._chunks(query)), -(-rows // PAGE_ROWS), progress)

    def products(self) -> None:
        """Returns None: the query names products only in its order lines."""

    def _latest_change(self) -> Any:
        """Returns the latest change.

        Times after tomorrow are mistakes. They are ignored, because they would hide all correct ones.
        """
        changed = self.query.changed
        latest = self._position(self.database.scalar(sa.select(sa.func.max(changed))))
        limit = _day_after_tomorrow()
        if isinstance(latest, str) and last_iso_day([_texts([latest])]) is None and latest > limit:
            earlier_changes = sa.select(sa.func.max(changed)).where(changed < untyped(limit))
            latest = self._position(self.database.scalar(earlier_changes))
        return latest

    def _position(self, value: Any) -> Any:
        if self.database.is_mysql and isinstance(value, dt.datetime):
            value = value.replace(tzinfo=None)  # the session's zone is UTC
        return encoded(value)

    def _last_iso_day(self, time: "sa.ColumnElement[Any]") -> dt.date | None:
        query = sa.select(sa.func.max(time)).where(time < untyped(_day_after_tomorrow()))
        latest = _texts([as_text(self.database.scalar(query))])
        return last_iso_day([latest], self.mapping.timezone)

    def _last_day_of_all(self) -> dt.date | None:
        """Returns the last day of times that the database can't compare, such as 21.09.2026."""
        names = alternatives(self.mapping.columns[c.ORDERED_AT])
        query = sa.select(*[self.query.column(name) for name in names]).distinct()
        notation = KeptNotation(self.mapping, {}, None, self.description)
        batches = (_table(names, rows) for rows in self.database.batches(query, PAGE_ROWS))
        return last_iso_day((notation.times(rows) for rows in batches), self.mapping.timezone)

    def _chunks(self, query: "sa.Select[Any]") -> Iterator[Rows]:
        """Yields the rows in chunks; a chunk holds whole orders."""
        pending: Rows = []
        for part in self.database.batches(query, PAGE_ROWS):
            pending += part
            last = self.query.key(pending[-1])
            if complete := [row for row in pending if self.query.key(row) != last]:
                yield complete
            pending = [row for row in pending if self.query.key(row) == last]
        if pending:
            yield pending

    def _page(self, rows: Rows) -> Page:
        last = [encoded(value) for value in self.query.key(rows[-1])]
        return Page(self._table(rows), last, len({self.query.key(row) for row in rows}))

    def _table(self, rows: Rows) -> pa.Table:
        """Returns the mapping's columns as strings, with LINE and SOURCE."""
        numbers = [number for _, lines in groupby(rows, self.query.key) for number, _ in enumerate(lines)]
        table = _table(self.query.columns, [self.query.values(row) for row in rows])
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
