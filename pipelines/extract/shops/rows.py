"""Turns validated orders and products of a shop's API into order lines and products."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.extract.lines import KEY_SEPARATOR, order_lines
from pipelines.extract.mapping import Mapping
from pipelines.extract.mapping_tables import Column, Joined, Refunds, alternatives
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.extract.records import plain_text, value_at
from pipelines.extract.refunds import (
    FIRST_REFUND,
    as_returns,
    change_columns,
    change_mapping,
    refund_mapping,
    refunding,
)
from pipelines.extract.shops.profile import Catalogue
from pipelines.extract.shops.shape import ANY
from serving.errors import NightshelfError

Entry = dict[str, Any]


def lines_of_orders(orders: list[Entry], mapping: Mapping, description: str) -> pa.Table:
    """Returns the lines of orders, and the refunded ones with a negative quantity, in columns of RAW_ORDERS.

    An order without lines becomes one line of nulls, so that it replaces its earlier version.
    """
    tables = list(order_lines([_rows(orders, mapping, mapping.source_columns, 0)], mapping, description))
    for index, refunds in enumerate(mapping.refunds, 1):
        refunded = refund_mapping(mapping, refunds)
        rows = _refunding(orders, mapping, refunded, refunds, index * FIRST_REFUND)
        tables += [as_returns(lines) for lines in order_lines([rows], refunded, description)]
    return pa.concat_tables(tables, promote_options="permissive") if len(tables) > 1 else tables[0]


def fields_of_lines(orders: list[Entry], mapping: Mapping) -> pa.Table:
    """Returns the fields that the mapping reads, as the shop wrote them: a row per line of the orders."""
    return _rows(orders, mapping, mapping.source_columns, 0).drop_columns([c.LINE])


def _refunding(
    orders: list[Entry], mapping: Mapping, refunded: Mapping, refunds: Refunds, first: int
) -> pa.Table:
    """Returns the refunded lines of orders in the source's columns, their numbers from `first` on."""
    paths = dict.fromkeys([*refunded.source_columns, *refunds.source_columns])
    rows = _rows(orders, refunded, [*paths], first)
    changed = None
    if changes := refunds.changes:
        names = change_columns(mapping, changes)
        changed = _rows(orders, change_mapping(mapping, changes), names, FIRST_REFUND)
    return refunding(rows, refunded, refunds, changed)


def _rows(orders: list[Entry], mapping: Mapping, paths: list[str], first: int) -> pa.Table:
    """Returns a row per line: the values at these paths as strings, and LINE.

    first: the number of an order's first line; from FIRST_REFUND on, orders without lines have no row.
    """
    lines = mapping.nested.lines if mapping.nested else ""
    heads = scopes(lines)
    levels, counts = _levels(orders, lines, may_be_empty=first > 0)
    of_order = np.repeat(np.arange(len(orders)), counts)
    table = {}
    for path in paths:
        level = max(index for index, head in enumerate(heads) if path.startswith(head))
        values = texts(orders if level == 0 else levels[level - 1], path.removeprefix(heads[level]))
        table[path] = pa.chunked_array([values if level else values.take(pa.array(of_order))])
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    table[c.LINE] = pa.chunked_array([pa.array(np.arange(len(of_order)) - starts + first)])
    return pa.table(list(table.values()), list(table))


def _levels(orders: list[Entry], lines: str, may_be_empty: bool) -> tuple[list[list[Entry]], list[int]]:
    """Returns each line's entry of every list on the way to the lines, and each order's number of lines."""
    if ANY not in lines:
        empty: list[Entry] = [] if may_be_empty else [{}]
        nested = [value_at(order, lines) or empty for order in orders]
        return [list(chain.from_iterable(nested))], list(map(len, nested))
    depth = len(scopes(lines)) - 1
    nothing: list[tuple[Entry, ...]] = [] if may_be_empty else [tuple({} for _ in range(depth))]
    below = [entries_at(order, lines) or nothing for order in orders]
    levels = [list(entries) for entries in zip(*chain(*below), strict=True)] or [[] for _ in range(depth)]
    return levels, list(map(len, below))


def scopes(lines: str) -> list[str]:
    """Returns the prefixes of the paths of an order, of the entries of each list on the way, and of a line.

    >>> scopes("refunds.*.line_items")
    ['', 'refunds.*.', 'refunds.*.line_items.']
    """
    steps = lines.split(f".{ANY}.")
    ways = [f".{ANY}.".join(steps[:end]) for end in range(1, len(steps))]
    return ["", *(f"{way}.{ANY}." for way in ways), f"{lines}."]


def entries_at(order: Entry, path: str) -> list[tuple[Entry, ...]]:
    """Returns the entries of the lists at a path, each behind the entries of the lists on the way to it."""
    head, any_, rest = path.partition(f".{ANY}.")
    entries = value_at(order, head) or []
    if not any_:
        return [(entry or {},) for entry in entries]
    return [(entry, *below) for entry in entries for below in entries_at(entry or {}, rest)]


def values_at(entry: Any, path: str) -> Iterator[Any]:
    """Yields the values at a path, in which * stands for each entry of a list.

    >>> list(values_at({"refunds": [{"id": 1}, {"id": 2}]}, "refunds.*.id"))
    [1, 2]
    """
    head, any_, rest = path.partition(f".{ANY}.")
    if not any_:
        yield value_at(entry, path)
        return
    for below in value_at(entry, head) or []:
        yield from values_at(below or {}, rest)


def texts(entries: list[Entry], path: str) -> pa.Array:
    """Returns the values at a path of each entry as strings, null where there is none."""
    if "." in path:
        return pa.array([plain_text(value_at(entry, path)) for entry in entries], pa.string())
    try:
        return pa.array([entry.get(path) for entry in entries], pa.string())
    except pa.ArrowTypeError:  # true or false
        return pa.array([plain_text(entry.get(path)) for entry in entries], pa.string())


def value_of(entry: Entry, column: Column) -> str | None:
    """Returns one of our columns of an entry: the first alternative that isn't blank, or several joined.

    False is blank, as PHP writes it for what is missing.
    """
    stated = [value_at(entry, path) for path in alternatives(column)]
    values = [None if value is False else plain_text(value) for value in stated]
    if isinstance(column, Joined):
        return None if None in values else KEY_SEPARATOR.join(map(str, values))
    return next((value for value in values if value and value.strip()), None)


def products(entries: Iterable[Entry], catalogue: Catalogue, minor_units: int) -> pa.Table:
    """Returns the products of a page of the catalogue, in the schema RAW_PRODUCTS.

    Raises NightshelfError if a price or a weight is no number.
    """
    rows = []
    for entry in entries:
        row: dict[str, Any] = {name: value_of(entry, column) for name, column in catalogue.columns.items()}
        row[c.IN_STOCK] = _is_in_stock(entry, catalogue)
        row |= {name: _number(row.get(name), name) for name in (c.PRICE, c.WEIGHT)}
        if row[c.PRICE] is not None:
            row[c.PRICE] /= 10**minor_units
        rows.append(row)
    return pa.Table.from_pylist(rows, RAW_PRODUCTS)


def _is_in_stock(entry: Entry, catalogue: Catalogue) -> bool:
    paths = alternatives(catalogue.columns.get(c.IN_STOCK, ()))
    stated = [plain_text(value_at(entry, path)) for path in paths]
    return all(text is None or text.casefold() in catalogue.in_stock for text in stated)


def _number(text: str | None, column: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise NightshelfError(
            f"a product of the shop's catalogue has a {column} that is no number: correct it in the shop, or"
            f" {column} under [catalogue.columns] of the profile"
        ) from None
