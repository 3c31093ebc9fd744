"""Versions of an order in raw/: which one is the newest, and whether a staged order differs from it.

An order's newest version counts, with all its lines: the one that the shop changed last if the orders say so,
otherwise the one that was read last.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract.raw import VERSION, batches, pulls, read

# An order has changed if its lines differ in one of these columns.
CONTENT = [c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE]
CONTENT += [c.NAME, c.CATEGORY, c.BRAND, c.WEIGHT, c.GROUP, c.LEFT_OUT, c.CHANGED_AT]
PART_SEPARATOR = "\x1f"  # between an order's id and the file that holds a part of the order


def changed_orders(
    source: str, staged: Callable[[], Iterable[pa.Table]], split: bool = False
) -> Iterator[pa.Table]:
    """Yields the staged rows, except those of orders that equal their newest version in raw/.

    staged: iterates over the staged rows, from the beginning at each call.
    split: whether the lines of an order may lie in several files, each of which is compared alone.
    """
    new = _digests(staged(), split)
    ids = pa.array(sorted({key.partition(PART_SEPARATOR)[0] for key in new.index}), pa.string())
    known = pc.field(c.ORDER_ID).isin(ids)
    rows = newest_versions(read(pulls(source), [*CONTENT, c.SOURCE, *VERSION], known).to_pandas(), split)
    old = _digests([pa.Table.from_pandas(rows, preserve_index=False)], split)
    in_both = new.index.intersection(old.index)
    is_unchanged = (new.loc[in_both].to_numpy() == old.loc[in_both].to_numpy()).all(axis=1)
    unchanged = pa.array(in_both[is_unchanged], pa.string())
    for page in staged():
        yield page.filter(pc.invert(pc.is_in(_keys(page, split), unchanged)))


def newest_versions(rows: pd.DataFrame, split: bool = False) -> pd.DataFrame:
    """Returns the rows of each order's newest version, as `pipelines.validate.versions` does in Spark.

    Rows without an order id are returned if they belong to the newest version of their source file.
    split: whether the lines of an order may lie in several files, each with versions of its own.
    """
    keys = [c.ORDER_ID, c.SOURCE] if split else [c.ORDER_ID]
    with_id = rows.assign(_changed=_changed(rows)).dropna(subset=c.ORDER_ID)
    by_version = with_id.groupby([*keys, *VERSION], as_index=False)[["_changed"]].max()
    by_age = by_version.sort_values(["_changed", *VERSION])
    orders = by_age.drop_duplicates(keys, keep="last")[[*keys, *VERSION]]
    versions = rows.sort_values(VERSION).drop_duplicates(c.SOURCE, keep="last")[[c.SOURCE, *VERSION]]
    without_id = rows[rows[c.ORDER_ID].isna()].merge(versions, on=[c.SOURCE, *VERSION])
    return pd.concat([rows.merge(orders, on=[*keys, *VERSION]), without_id])


def _changed(rows: pd.DataFrame) -> "pd.Series[Any]":
    """Returns when the shop changed each row's order, at the latest when it was read; 1970 if unknown."""
    unknown = pd.Timestamp(0, tz="UTC")
    if c.CHANGED_AT not in rows or rows[c.CHANGED_AT].isna().all():
        return pd.Series(unknown, rows.index)
    times = pd.to_datetime(rows[c.CHANGED_AT], utc=True, format="ISO8601", errors="coerce")
    return times.clip(upper=rows[c.EXTRACTED_AT]).fillna(unknown)


def _digests(pages: Iterable[pa.Table], split: bool) -> pd.DataFrame:
    """Returns the least and the greatest digest of each order's lines on a page: uint64, by order key.

    They differ if the pages hold different versions of the order.
    """
    parts = [_line_hashes(rows, split) for rows in batches(pages)]
    by_page = pd.concat(parts).groupby(level=[0, 1]).sum() if parts else pd.Series([], [[], []], np.uint64)
    return by_page.groupby(level=0).agg(["min", "max"])


def _line_hashes(rows: pa.Table, split: bool) -> "pd.Series[Any]":
    hashes = pd.util.hash_pandas_object(rows.select(CONTENT).to_pandas(), index=False).to_numpy()
    return pd.Series(hashes, [_keys(rows, split).to_pandas(), rows[c.PAGE].to_pandas()])


def _keys(rows: pa.Table, split: bool) -> pa.ChunkedArray:
    """Returns what identifies the order of each row: its id, with the file if orders are split over files."""
    if not split:
        return rows[c.ORDER_ID]
    return pc.binary_join_element_wise(rows[c.ORDER_ID], rows[c.SOURCE], PART_SEPARATOR)
