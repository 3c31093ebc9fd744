"""Which rows a mapping leaves out of the orders, and why."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.extract.mapping import Mapping
from pipelines.extract.mapping_tables import LeaveOut

OTHER_CURRENCY = "other_currency"


def left_out(rows: pa.Table, mapping: Mapping, rate: pa.ChunkedArray | None) -> pa.ChunkedArray:
    """Returns the reason of the first rule that leaves a row out, null for the others.

    rate: of each row's currency (`amounts.rate`).
    """
    reason = pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
    for rule in mapping.leave_out:
        reason = pc.coalesce(reason, pc.if_else(meets(rows[rule.column], rule), rule.reason, None))
    if events := mapping.events:
        kind = plain_text(rows[events.column])
        is_purchase = pc.is_in(kind, pa.array([text.casefold() for text in events.purchases]))
        name = pc.replace_substring_regex(pc.fill_null(kind, "no_event"), r"[^a-z0-9_]+", "_")
        reason = pc.coalesce(reason, pc.if_else(is_purchase, None, name))
    if rate is not None:
        reason = pc.coalesce(reason, pc.if_else(pc.is_null(rate), OTHER_CURRENCY, None))
    return reason


def meets(column: pa.ChunkedArray, rule: LeaveOut) -> pa.ChunkedArray:
    """Returns a mask of the values that meet the rule's condition."""
    text = pc.fill_null(plain_text(column), "")
    if rule.filled is not None:
        return pc.equal(pc.not_equal(text, ""), rule.filled)
    if rule.matches is not None:
        distinct = text.unique()
        matching = [value for value in distinct.to_pylist() if re.search(rule.matches, value, re.IGNORECASE)]
        return pc.is_in(text, pa.array(matching, pa.string()))
    listed = [value.strip().casefold() for value in rule.values or rule.other_than or ()]
    among = pc.is_in(text, pa.array(listed, pa.string()))
    return among if rule.values else pc.invert(among)


def plain_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns texts without regard to case and surrounding spaces."""
    return pc.utf8_lower(pc.utf8_trim_whitespace(column))
