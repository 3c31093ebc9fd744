"""Refunds that a source lists beside an order's lines: each becomes a line with a negative quantity."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract.lines import meets
from pipelines.extract.mapping import Mapping, Nested, Refunds, alternatives

FIRST_REFUND = 1_000_000  # the number of an order's first refunded line, behind all its lines
DIGITS = r"[1-9]"  # in every number but zero


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


def refunding(rows: pa.Table, mapping: Mapping, refunds: Refunds) -> pa.Table:
    """Returns the refunded lines (source's columns) that take something away from what the order states.

    mapping: of the refunded lines.
    """
    for rule in refunds.ignore:
        rows = rows.filter(pc.invert(meets(rows[rule.column], rule)))
    return _once(rows, mapping, refunds) if refunds.line and rows.num_rows else rows


def _once(rows: pa.Table, mapping: Mapping, refunds: Refunds) -> pa.Table:
    """Returns one row per refunded line, less the pieces that the order's own line no longer states."""
    quantity = alternatives(mapping.columns[c.QUANTITY])[0]
    keys = [*alternatives(mapping.columns[c.ORDER_ID]), refunds.line]
    table = rows.to_pandas()
    pieces = {
        name: table[name].astype(float).fillna(0) for name in (quantity, refunds.bought, refunds.stated)
    }
    gone = (pieces[refunds.bought] - pieces[refunds.stated]).clip(lower=0)
    refunded = pieces[quantity].abs().groupby([table[key] for key in keys], dropna=False).transform("sum")
    table[quantity] = (refunded - gone).clip(lower=0).map("{:g}".format)
    return pa.Table.from_pandas(table.drop_duplicates(keys), schema=rows.schema, preserve_index=False)


def taken_back(lines: pa.Table) -> pa.Table:
    """Returns refunded lines with a negative quantity and a positive price, without those of no quantity."""
    refunded = pc.fill_null(pc.match_substring_regex(lines[c.QUANTITY], DIGITS), False)
    lines = lines.filter(refunded)
    quantity, price = (pc.utf8_ltrim(lines[name], "-") for name in (c.QUANTITY, c.UNIT_PRICE))
    negative = pc.binary_join_element_wise("-", quantity, "")
    lines = lines.set_column(lines.column_names.index(c.QUANTITY), c.QUANTITY, negative)
    return lines.set_column(lines.column_names.index(c.UNIT_PRICE), c.UNIT_PRICE, price)
