"""Turns the rows of any source into order lines, as a mapping says."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract.mapping import Mapping
from pipelines.extract.mapping_tables import Column, Joined, LeaveOut, alternatives
from pipelines.extract.notation import numbers, times
from pipelines.extract.notation.numbers import DecimalSign
from pipelines.extract.records import NUMERIC, ROW, ROW_FAULT, ROW_SOURCE

KEY_SEPARATOR = "/"  # between the parts of a joined column
NUMBERS = (c.QUANTITY, c.UNIT_PRICE, c.AMOUNT)
TIMES = (c.ORDERED_AT, c.CHANGED_AT)
OTHER_CURRENCY = "other_currency"
ORIGIN = {c.LINE: ROW, c.FAULT: ROW_FAULT, c.SOURCE: ROW_SOURCE}


@dataclass(frozen=True)
class Notation:
    """How a source writes times and numbers."""

    times: tuple[str, ...]
    decimal: DecimalSign


def order_lines(tables: Iterable[pa.Table], mapping: Mapping, description: str) -> Iterator[pa.Table]:
    """Yields the rows of one file or page as order lines, in columns of RAW_ORDERS.

    tables: the source's columns as strings, and ROW, ROW_FAULT and ROW_SOURCE, which are passed on.
    description: names the file or page in messages.
    Raises NightshelfError if the notation of times or numbers is ambiguous and the mapping doesn't state it.
    """
    formats = mapping.times
    signs = numbers.DecimalSigns(description)
    for rows in tables:
        formats = formats or _recognised_times(rows, mapping, description)
        decimal = mapping.decimal or signs.recognise(
            [_value(rows, column) for column in _texts(rows, mapping)]
        )
        yield _order_lines(rows, mapping, formats or (times.ISO,), decimal)


def recognise(rows: pa.Table, mapping: Mapping, description: str) -> Notation:
    """Returns the notation that the mapping states, or else the one that these rows show.

    Raises NightshelfError if the rows could be read in several ways.
    """
    formats = mapping.times or _recognised_times(rows, mapping, description) or (times.ISO,)
    written = [_value(rows, column) for column in _texts(rows, mapping)]
    return Notation(formats, mapping.decimal or numbers.recognise_decimal(written, description))


def _recognised_times(rows: pa.Table, mapping: Mapping, description: str) -> tuple[str, ...]:
    """Returns the format of the rows' times, none if no row has a time."""
    values = _value(rows, mapping.columns[c.ORDERED_AT])
    return times.recognise_times(values, description) if values.null_count < len(values) else ()


def times_of(rows: pa.Table, mapping: Mapping) -> pa.ChunkedArray:
    """Returns the times of orders as the source wrote them."""
    return _value(rows, mapping.columns[c.ORDERED_AT])


def _texts(rows: pa.Table, mapping: Mapping) -> list[Column]:
    """Returns the columns of numbers that are written as text, in which the decimal sign may vary."""
    columns = [mapping.columns[name] for name in NUMBERS if name in mapping.columns]
    return [column for column in columns if not _is_numeric(rows, column)]


def _is_numeric(rows: pa.Table, column: Column) -> bool:
    fields = [rows.schema.field(name) for name in alternatives(column)]
    return all(field.metadata == NUMERIC for field in fields)


def _order_lines(
    rows: pa.Table, mapping: Mapping, formats: tuple[str, ...], decimal: DecimalSign
) -> pa.Table:
    lines = {name: _value(rows, column) for name, column in mapping.columns.items()}
    lines |= {name: times.to_iso(lines[name], formats) for name in TIMES if name in lines}
    for name in NUMBERS:
        if name in lines and not _is_numeric(rows, mapping.columns[name]):
            lines[name] = numbers.to_plain(lines[name], decimal)
    if c.QUANTITY not in lines:
        # The day of the last order takes the times alone, without a product.
        lines[c.QUANTITY] = _one_piece(lines.get(c.PRODUCT, lines[c.ORDERED_AT]))
    lines |= _returned(rows, lines, mapping)
    rate, left_out = _rate(rows, mapping), _left_out(rows, mapping)
    lines[c.UNIT_PRICE] = _unit_price(lines, 10**mapping.minor_units, rate)
    lines.pop(c.AMOUNT, None)
    lines[c.LEFT_OUT] = left_out
    return pa.table(lines | _origin(rows, mapping))


def _origin(rows: pa.Table, mapping: Mapping) -> dict[str, pa.ChunkedArray]:
    """Returns LINE, FAULT and SOURCE of rows that carry them, also under these names themselves."""
    own = {ours: theirs for ours, theirs in ORIGIN.items() if theirs in rows.column_names}
    named = {name: name for name in {*ORIGIN} - {*own, *mapping.source_columns} if name in rows.column_names}
    return {ours: rows[theirs] for ours, theirs in (own | named).items()}


def _value(rows: pa.Table, column: Column) -> pa.ChunkedArray:
    """Returns one of our columns: the first alternative that isn't blank, or several joined.

    What is joined is null if one of its parts is blank.
    """
    if isinstance(column, Joined):
        parts = [_value(rows, part) for part in column.join]
    else:
        parts = [rows[name] for name in alternatives(column)]
    if len(parts) == 1:
        return parts[0]
    filled = [pc.if_else(pc.not_equal(pc.utf8_trim_whitespace(part), ""), part, None) for part in parts]
    if isinstance(column, Joined):
        return pc.binary_join_element_wise(*filled, KEY_SEPARATOR)
    return pc.coalesce(*filled)


def _unit_price(
    lines: dict[str, pa.ChunkedArray], parts: int, rate: pa.ChunkedArray | None
) -> pa.ChunkedArray:
    """Returns the price of one piece; a return whose amount is negative too has a positive price.

    parts: how many of the stated units make one unit of the currency.
    What is no number is returned unchanged, as a row check then quarantines the line.
    """
    stated = lines.get(c.UNIT_PRICE, lines.get(c.AMOUNT))
    if stated is None:
        return pa.chunked_array([pa.nulls(len(lines[c.QUANTITY]), pa.string())])
    as_stated = c.UNIT_PRICE in lines and rate is None and parts == 1
    if as_stated and not pc.any(pc.starts_with(pc.utf8_ltrim_whitespace(lines[c.QUANTITY]), "-")).as_py():
        return stated
    price, quantity = (_numbers(column) for column in (stated, lines[c.QUANTITY]))
    if c.AMOUNT in lines:
        price = pc.divide(price, pc.if_else(pc.equal(quantity, 0), None, quantity))
    changed = pc.divide(price, float(parts))  # a product with 0.01 would show its rounding error
    if rate is not None:
        changed = pc.multiply(changed, rate)
    both_negative = pc.and_(pc.less(quantity, 0), pc.less(changed, 0))
    changed = pc.if_else(pc.fill_null(both_negative, False), pc.negate(changed), changed)
    if as_stated and not pc.any(both_negative).as_py():
        return stated
    return pc.coalesce(pc.round(changed, 6).cast(pa.string()), stated)


def _returned(
    rows: pa.Table, lines: dict[str, pa.ChunkedArray], mapping: Mapping
) -> dict[str, pa.ChunkedArray]:
    """Returns the quantities and prices with the signs of a return, for the rows that are returns."""
    if not (returns := mapping.returns):
        return {}
    values = pa.array([text.strip().casefold() for text in returns.values], pa.string())
    is_return = pc.is_in(_plain_text(rows[returns.column]), values)
    unsigned = {
        name: pc.replace_substring_regex(lines[name], r"^\s*[+-]", "") for name in NUMBERS if name in lines
    }
    negative = pc.binary_join_element_wise("-", unsigned[c.QUANTITY], "")
    signs = unsigned | {c.QUANTITY: negative}
    if c.AMOUNT in signs:  # an amount is divided by its quantity
        signs[c.AMOUNT] = pc.binary_join_element_wise("-", unsigned[c.AMOUNT], "")
    return {name: pc.if_else(is_return, signs[name], lines[name]) for name in signs}


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns the numbers of a column of strings as float64, null for any other text."""
    plain = pc.match_substring_regex(column, numbers.PLAIN)
    return pc.if_else(plain, column, None).cast(pa.float64())


def _rate(rows: pa.Table, mapping: Mapping) -> pa.ChunkedArray | None:
    """Returns the rate of each row's currency, null for one without a rate; None if there is one currency."""
    if not (currency := mapping.currency):
        return None
    rates = {code.upper(): rate for code, rate in currency.rates.items()} | {currency.to.upper(): 1.0}
    codes = pc.utf8_upper(pc.utf8_trim_whitespace(rows[currency.column]))
    index = pc.index_in(codes, pa.array(rates, pa.string()))
    return pa.chunked_array([pa.array(rates.values(), pa.float64()).take(index.combine_chunks())])


def _left_out(rows: pa.Table, mapping: Mapping) -> pa.ChunkedArray:
    """Returns the reason of the first rule that leaves a row out, null for the others."""
    reason = pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
    for rule in mapping.leave_out:
        reason = pc.coalesce(reason, pc.if_else(meets(rows[rule.column], rule), rule.reason, None))
    if events := mapping.events:
        kind = _plain_text(rows[events.column])
        is_purchase = pc.is_in(kind, pa.array([text.casefold() for text in events.purchases]))
        name = pc.replace_substring_regex(pc.fill_null(kind, "no_event"), r"[^a-z0-9_]+", "_")
        reason = pc.coalesce(reason, pc.if_else(is_purchase, None, name))
    if (rate := _rate(rows, mapping)) is not None:
        reason = pc.coalesce(reason, pc.if_else(pc.is_null(rate), OTHER_CURRENCY, None))
    return reason


def meets(column: pa.ChunkedArray, rule: LeaveOut) -> pa.ChunkedArray:
    """Returns a mask of the values that meet the rule's condition."""
    text = pc.fill_null(_plain_text(column), "")
    if rule.filled is not None:
        return pc.equal(pc.not_equal(text, ""), rule.filled)
    if rule.matches is not None:
        distinct = text.unique()
        found = [value for value in distinct.to_pylist() if re.search(rule.matches, value, re.IGNORECASE)]
        return pc.is_in(text, pa.array(found, pa.string()))
    listed = [value.strip().casefold() for value in rule.values or rule.other_than or ()]
    among = pc.is_in(text, pa.array(listed, pa.string()))
    return among if rule.values else pc.invert(among)


def _plain_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_lower(pc.utf8_trim_whitespace(column))


def _one_piece(product: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns the quantity 1 for each product, null for an order without lines."""
    return pc.if_else(pc.equal(pc.fill_null(_plain_text(product), ""), ""), pa.scalar(None, pa.string()), "1")
