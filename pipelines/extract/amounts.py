"""Quantities and prices of order lines: of one piece, in one currency, with the sign of a return."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract.leaving_out import plain_text
from pipelines.extract.mapping import Mapping
from pipelines.extract.notation import numbers

NUMBERS = (c.QUANTITY, c.UNIT_PRICE, c.AMOUNT)
ROUNDED_BELOW = 1e100  # far above any price; the largest floats overflow when they are rounded


def one_piece(product: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns the quantity 1 for each product, null for an order without lines."""
    return pc.if_else(pc.equal(pc.fill_null(plain_text(product), ""), ""), pa.scalar(None, pa.string()), "1")


def unit_price(
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
    possible = pc.if_else(pc.less(pc.abs(changed), ROUNDED_BELOW), changed, None)
    return pc.coalesce(pc.round(possible, 6).cast(pa.string()), stated)


def returned(
    rows: pa.Table, lines: dict[str, pa.ChunkedArray], mapping: Mapping
) -> dict[str, pa.ChunkedArray]:
    """Returns the columns of quantities and prices, with the signs of a return in rows that are returns."""
    if not (returns := mapping.returns):
        return {}
    values = pa.array([text.strip().casefold() for text in returns.values], pa.string())
    is_return = pc.is_in(plain_text(rows[returns.column]), values)
    unsigned = {
        name: pc.replace_substring_regex(lines[name], r"^\s*[+-]", "") for name in NUMBERS if name in lines
    }
    negative = pc.binary_join_element_wise("-", unsigned[c.QUANTITY], "")
    signs = unsigned | {c.QUANTITY: negative}
    if c.AMOUNT in signs:  # an amount is divided by its quantity
        signs[c.AMOUNT] = pc.binary_join_element_wise("-", unsigned[c.AMOUNT], "")
    return {name: pc.if_else(is_return, signs[name], lines[name]) for name in signs}


def rate(rows: pa.Table, mapping: Mapping) -> pa.ChunkedArray | None:
    """Returns the rate of each row's currency, null for one without a rate; None if there is one currency."""
    if not (currency := mapping.currency):
        return None
    rates = {code.upper(): rate for code, rate in currency.rates.items()} | {currency.to.upper(): 1.0}
    codes = pc.utf8_upper(pc.utf8_trim_whitespace(rows[currency.column]))
    index = pc.index_in(codes, pa.array(rates, pa.string()))
    return pa.chunked_array([pa.array(rates.values(), pa.float64()).take(index.combine_chunks())])


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns the numbers of a column of strings as float64, null for any other text."""
    plain = pc.match_substring_regex(column, numbers.PLAIN)
    return pc.if_else(plain, column, None).cast(pa.float64())
