"""Refunds that a source lists beside an order's lines: each becomes a line with a negative quantity."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract.leaving_out import meets
from pipelines.extract.mapping import Mapping
from pipelines.extract.mapping_tables import Changes, Nested, Refunds, alternatives

FIRST_REFUND = 1_000_000  # the number of an order's first refunded line, behind all its lines
DIGITS = r"[1-9]"  # in every number but zero
ADDED = "@added"  # how many pieces changes added to the order's line


def refund_mapping(mapping: Mapping, refunds: Refunds) -> Mapping:
    """Returns the mapping of an order's refunded lines."""
    of_line = f"{mapping.nested.lines}." if mapping.nested else ""
    of_order = {
        name: column
        for name, column in mapping.columns.items()
        if not any(path.startswith(of_line) for path in alternatives(column))
    }
    rules = tuple(rule for rule in mapping.leave_out if not rule.column.startswith(of_line))
    changes = {"columns": of_order | refunds.columns, "leave_out": rules, "refunds": ()}
    return mapping.model_copy(update=changes | {"nested": Nested(lines=refunds.lines)})


def change_mapping(mapping: Mapping, changes: Changes) -> Mapping:
    """Returns the mapping of the changes of an order's own lines."""
    return mapping.model_copy(update={"nested": Nested(lines=changes.lines)})


def change_columns(mapping: Mapping, changes: Changes) -> list[str]:
    """Returns the paths of what a change of an order's own lines states."""
    return [*alternatives(mapping.columns[c.ORDER_ID]), changes.line, changes.quantity, changes.refund]


def refunding(
    rows: pa.Table, mapping: Mapping, refunds: Refunds, changed: pa.Table | None = None
) -> pa.Table:
    """Returns the refunded lines (source's columns) that reduce what the order's own lines state.

    mapping: of the refunded lines; changed: the changes of the orders' own lines.
    """
    for rule in refunds.ignore:
        rows = rows.filter(pc.invert(meets(rows[rule.column], rule)))
    if not refunds.line or not rows.num_rows:
        return rows
    order = list(alternatives(mapping.columns[c.ORDER_ID]))
    quantity = alternatives(mapping.columns[c.QUANTITY])[0]
    table = rows.to_pandas().assign(**{ADDED: 0.0})
    if refunds.changes and changed is not None:
        table = _without_changes(table, changed.to_pandas(), order, refunds, refunds.changes)
    table = _once(table, [*order, refunds.line], quantity, refunds)
    return pa.Table.from_pandas(table, schema=rows.schema, preserve_index=False)


def _without_changes(
    table: pd.DataFrame, changed: pd.DataFrame, order: list[str], refunds: Refunds, changes: Changes
) -> pd.DataFrame:
    """Returns the lines of refunds that no change made, with the column ADDED."""
    made = set(_keys(changed, [*order, changes.refund]))
    table = table[[key not in made for key in _keys(table, [*order, refunds.id])]]
    pieces = changed[changes.quantity].astype(float).fillna(0)
    added = pieces.groupby(pd.Index(_keys(changed, [*order, changes.line]), tupleize_cols=False)).sum()
    return table.assign(**{ADDED: [added.get(key, 0.0) for key in _keys(table, [*order, refunds.line])]})


def _keys(table: pd.DataFrame, columns: list[str]) -> list[tuple[str | None, ...]]:
    return list(table[columns].itertuples(index=False, name=None))


def _once(table: pd.DataFrame, keys: list[str], quantity: str, refunds: Refunds) -> pd.DataFrame:
    """Returns one row per refunded line, less the pieces that the order's own line no longer states.

    No more pieces are refunded than the order's line states: a refund that several payments share is listed
    with each of them.
    """
    refunded, bought, stated = (
        table[name].astype(float).fillna(0) for name in (quantity, refunds.bought, refunds.stated)
    )
    gone = (bought + table[ADDED] - stated).clip(lower=0)
    total = refunded.abs().groupby([table[key] for key in keys], dropna=False).transform("sum")
    pieces = (total - gone).clip(lower=0).clip(upper=stated)
    return table.assign(**{quantity: pieces.map("{:g}".format)}).drop_duplicates(keys)


def as_returns(lines: pa.Table) -> pa.Table:
    """Returns refunded lines with a negative quantity and a positive price, without those of no quantity."""
    refunded = pc.fill_null(pc.match_substring_regex(lines[c.QUANTITY], DIGITS), False)
    lines = lines.filter(refunded)
    quantity, price = (pc.utf8_ltrim(lines[name], "-") for name in (c.QUANTITY, c.UNIT_PRICE))
    negative = pc.binary_join_element_wise("-", quantity, "")
    lines = lines.set_column(lines.column_names.index(c.QUANTITY), c.QUANTITY, negative)
    return lines.set_column(lines.column_names.index(c.UNIT_PRICE), c.UNIT_PRICE, price)
