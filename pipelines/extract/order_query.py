"""The query that a mapping names, as the SELECTs that read its order lines."""

import datetime as dt
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from pipelines import columns as c
from pipelines.extract import statement
from pipelines.extract.database import Database
from pipelines.extract.mapping import Mapping
from pipelines.extract.mapping_tables import Joined, Query, alternatives
from pipelines.extract.names import resolve
from pipelines.extract.values import earlier

Row = tuple[Any, ...]


class OrderQuery:
    """The order lines of one database, sorted by the key of their orders."""

    def __init__(self, database: Database, mapping: Mapping, query: Query) -> None:
        self.database, self.mapping, self.query = database, mapping, query
        self.columns = mapping.file_columns

    @cached_property
    def lines(self) -> sa.Subquery:
        """The mapping's query, with the names of its columns as the database has them.

        Raises NightshelfError, quoting the nearest names, if the query lacks a column of the mapping.
        """
        every: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(self._subquery([])).limit(0)
        with self.database.connected() as connection:
            present = list(connection.execute(every).keys())
        where = f"the query of [sql], run on {self.database.description}"
        self.names = resolve([*self.columns, self.query.changed], present, where)
        return self._subquery(dict.fromkeys(self.names.values()))

    def _subquery(self, columns: Any) -> sa.Subquery:
        return statement.subquery(self.query.lines, columns, self.database.is_mysql)

    def column(self, name: str) -> "sa.ColumnElement[Any]":
        """Returns the expression of a column that the mapping names."""
        lines = self.lines
        return lines.c[self.names[name]]

    @property
    def changed(self) -> "sa.ColumnElement[Any]":
        """The expression of the last change."""
        return self.column(self.query.changed)

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

    def key(self, row: Row) -> Row:
        """Returns the key of a selected row's order."""
        return row[: len(self.order_key)]

    def values(self, row: Row) -> Row:
        """Returns a selected row without the key: the columns of the mapping."""
        return row[len(self.order_key) :]

    def select(self, since: Any, overlap: dt.timedelta, after: list[Any] | None) -> "sa.Select[Any]":
        """Returns the query of orders changed since a time or number, and with keys after another.

        Its columns are the order's key and the columns of the mapping. since, after: None for all orders;
        overlap: by how much a time is put back.
        """
        key, columns = self.order_key, [self.column(name) for name in self.columns]
        labelled = [part.label(f"key_{index}") for index, part in enumerate(key)]
        # Sorted by all columns, so that a line has the same number within its order in every pull.
        query = sa.select(*labelled, *columns).order_by(*key, *columns)
        query = query.where(*[part.is_not(None) for part in key])
        if since is not None:
            query = query.where(self._changed_since(earlier(since, overlap)))
        return query if after is None else query.where(_after(key, after))

    def _changed_since(self, changed: Any) -> "sa.ColumnElement[bool]":
        """Returns the condition that an order has a line changed since then, or without a time of change."""
        others = self.lines.alias("changed_lines")
        changed_at = others.c[self.names[self.query.changed]]
        newer = changed_at.is_(None) | (changed_at >= untyped(changed))
        parts, changed_parts = self._order_parts(self.lines), self._order_parts(others)
        order_id = parts[0] if len(parts) == 1 else sa.tuple_(*parts)
        return order_id.in_(sa.select(*changed_parts).where(newer))


def untyped(value: Any) -> "sa.BindParameter[Any]":
    """Returns a parameter without a type, so that the database converts it to the column's type."""
    return sa.bindparam(None, value, type_=sa.types.NullType())


def _after(key: "list[sa.ColumnElement[Any]]", last: list[Any]) -> "sa.ColumnElement[bool]":
    """Returns the condition that a key comes after another in their order."""
    first, value = key[0], untyped(last[0])
    if len(key) == 1:
        return first > value
    return (first > value) | ((first == value) & _after(key[1:], last[1:]))
