"""Turns validated orders and products of a shop's API into order lines and products."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract.lines import KEY_SEPARATOR, order_lines
from pipelines.extract.mapping import Column, Joined, Mapping, Nested, alternatives
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.extract.records import plain_text, value_at
from pipelines.extract.shops.profile import Catalogue
from pipelines.extract.shops.shape import ANY
from serving.errors import NightshelfError

Entry = dict[str, Any]
FIRST_REFUND = 1_000_000  # the number of an order's first refunded line, behind all its lines
DIGITS = r"[1-9]"  # in every number but zero


def lines_of_orders(orders: list[Entry], mapping: Mapping, description: str) -> pa.Table:
    """Returns the lines of orders, and their refunded lines with a negative quantity, in columns of RAW_ORDERS.

    An order without lines becomes one line of nulls, so that it replaces its earlier version.
    """
    tables = list(order_lines([_rows(orders, mapping, first=0)], mapping, description))
    if (refunded := refund_mapping(mapping)) is not None:
        rows = _rows(orders, refunded, first=FIRST_REFUND)
        tables += [_taken_back(lines) for lines in order_lines([rows], refunded, description)]
    return pa.concat_tables(tables, promote_options="permissive") if len(tables) > 1 else tables[0]


def refund_mapping(mapping: Mapping) -> Mapping | None:
    """Returns the mapping of an order's refunded lines, or None if it has no list of them."""
    if not (mapping.refunds and mapping.nested):
        return None
    of_line = f"{mapping.nested.lines}."
    of_order = {
        name: column
        for name, column in mapping.columns.items()
        if not any(path.startswith(of_line) for path in alternatives(column))
    }
    rules = tuple(rule for rule in mapping.leave_out if not rule.column.startswith(of_line))
    changes = {"columns": of_order | mapping.refunds.columns, "leave_out": rules, "refunds": None}
    return mapping.model_copy(update=changes | {"nested": Nested(lines=mapping.refunds.lines)})


def _taken_back(lines: pa.Table) -> pa.Table:
    """Returns refunded lines with a negative quantity and a positive price, without those of no quantity."""
    refunding = pc.fill_null(pc.match_substring_regex(lines[c.QUANTITY], DIGITS), False)
    lines = lines.filter(refunding)
    quantity, price = (pc.utf8_ltrim(lines[name], "-") for name in (c.QUANTITY, c.UNIT_PRICE))
    negative = pc.binary_join_element_wise("-", quantity, "")
    lines = lines.set_column(lines.column_names.index(c.QUANTITY), c.QUANTITY, negative)
    return lines.set_column(lines.column_names.index(c.UNIT_PRICE), c.UNIT_PRICE, price)


def _rows(orders: list[Entry], mapping: Mapping, first: int) -> pa.Table:
    """Returns a row per line: the source's columns as strings, and LINE.

    first: the number of an order's first line; from FIRST_REFUND on, orders without lines have no row.
    """
    lines = mapping.nested.lines if mapping.nested else ""
    one_empty: list[Entry] = [] if first else [{}]
    rows = [
        (order, number, line)
        for order in orders
        for number, line in enumerate(list(entries_at(order, lines)) or one_empty, first)
    ]
    table = {}
    for path in mapping.source_columns:
        below = path.removeprefix(f"{lines}.")
        get = getter(below)
        table[path] = [get(order) for order, _, _ in rows] if below == path else [get(line) for _, _, line in rows]
    columns = [pa.chunked_array([pa.array(values, pa.string())]) for values in table.values()]
    numbers = pa.chunked_array([pa.array([number for _, number, _ in rows], pa.int64())])
    return pa.table([*columns, numbers], [*table, c.LINE])


def entries_at(order: Entry, path: str) -> Iterator[Entry]:
    """Yields the entries of the lists at a path, in which * stands for each entry of a list."""
    head, any_, rest = path.partition(f".{ANY}.")
    entries = value_at(order, head) or []
    for entry in entries:
        if any_:
            yield from entries_at(entry, rest) if entry else ()
        else:
            yield entry or {}


def getter(path: str) -> Callable[[Entry], str | None]:
    """Returns the function from an entry to the text at a path of it, null if there is none."""
    if "." not in path:
        return lambda entry: _text(entry.get(path))
    return lambda entry: plain_text(value_at(entry, path))


def value_of(entry: Entry, column: Column) -> str | None:
    """Returns one of our columns of an entry: the first alternative that isn't blank, or several joined."""
    values = [plain_text(value_at(entry, path)) for path in alternatives(column)]
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
        stated = row.get(c.IN_STOCK)
        row[c.IN_STOCK] = stated is None or stated.casefold() in catalogue.in_stock
        row |= {name: _number(row.get(name), name) for name in (c.PRICE, c.WEIGHT)}
        if row[c.PRICE] is not None:
            row[c.PRICE] /= 10**minor_units
        rows.append(row)
    return pa.Table.from_pylist(rows, RAW_PRODUCTS)


def _number(text: str | None, column: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise NightshelfError(
            f"a product of the shop's catalogue has a {column} that is no number: correct it in the shop, or"
            f" {column} under [catalogue.columns] of the profile"
        ) from None


def _text(value: Any) -> str | None:
    return plain_text(value) if isinstance(value, bool) else value
