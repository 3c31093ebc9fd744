"""What makes an order: its key, fields on its first line only, and lines that repeat."""

import pandas as pd

from pipelines import columns as c
from pipelines.extract.inspect.choice import Columns
from pipelines.extract.inspect.draft import Draft
from pipelines.extract.inspect.values import with_none
from pipelines.extract.inspect.words import name_score
from pipelines.extract.mapping_tables import FILE, FOLDER

MIN_OVERLAP = 3  # order numbers that two files share
REPEATED = 0.002  # share of repeated rows above which they are no coincidence


def guess_orders(draft: Draft, frame: "pd.DataFrame", columns: Columns) -> "pd.DataFrame":
    """Adds the order's key, fill_down and row_key to the draft; returns the rows filled down."""
    if _is_on_first_line_only(frame, columns):
        draft.put("file.fill_down", True, "fields of an order stand on its first line only")
        frame = _filled_down(frame, columns)
    _guess_key(draft, frame, columns)
    _guess_row_key(draft, frame, columns)
    return frame


def _is_on_first_line_only(frame: "pd.DataFrame", columns: Columns) -> bool:
    """Returns whether times are missing just where a row continues the order above it."""
    if c.ORDERED_AT not in columns.chosen or c.ORDER_ID not in columns.chosen or columns.lines:
        return False
    times = frame[columns.chosen[c.ORDERED_AT]].fillna("").str.strip()
    orders = frame[columns.chosen[c.ORDER_ID]].fillna("").str.strip()
    empty = times == ""
    continues = (orders == "") | (orders == orders.shift())
    return bool(empty.mean() > 0.02 and (continues & empty).sum() > 0.95 * empty.sum())


def _filled_down(frame: "pd.DataFrame", columns: Columns) -> "pd.DataFrame":
    blank = frame.replace(r"^\s*$", None, regex=True)
    order = blank[columns.chosen[c.ORDER_ID]].ffill()
    of_line = {columns.chosen.get(name) for name in (c.PRODUCT, c.QUANTITY, c.UNIT_PRICE, c.AMOUNT, c.NAME)}
    of_order = [name for name in frame.columns if name not in of_line]
    filled = blank.copy()
    filled[of_order] = blank[of_order].groupby(order.to_numpy()).ffill()
    filled[columns.chosen[c.ORDER_ID]] = order
    return with_none(filled)


def _guess_key(draft: Draft, frame: "pd.DataFrame", columns: Columns) -> None:
    number = columns.chosen.get(c.ORDER_ID)
    customer, time = columns.chosen.get(c.CUSTOMER), columns.chosen.get(c.ORDERED_AT)
    if number is None:
        if customer and time:
            draft.put(
                "columns.order_id",
                {"join": [customer, time]},
                "no order number: customer and time make an order",
            )
        else:
            draft.undecided.append("which column is the order's number: set order_id under [columns]")
        return
    if columns.scores[c.ORDER_ID] < 0.6:
        draft.undecided.append(f"whether {number!r} is the order's number: it is the likeliest column")
    if other := _distinguishes(
        frame, number, [name for name in (customer, time) if name], _partners(frame, columns)
    ):
        draft.put(
            "columns.order_id",
            {"join": [other, number]},
            f"orders of different {other} have the same numbers",
        )
    else:
        draft.put("columns.order_id", number)


def _partners(frame: "pd.DataFrame", columns: Columns) -> list[str]:
    """Returns what may be part of the key: columns of stores, the folder and the file."""
    stores = [
        seen.name
        for seen in columns.free()
        if 1 < seen.distinct <= 1_000 and name_score(columns.own(seen.name), "store") >= 0.6
    ]
    return [*stores, *(name for name in (FOLDER, FILE) if frame[name].nunique() > 1)]


def _distinguishes(frame: "pd.DataFrame", number: str, content: list[str], partners: list[str]) -> str | None:
    """Returns the first partner by which orders of one number have different customers and times."""
    if not content:
        return None
    for partner in partners:
        orders = frame[[number, partner, *content]].dropna(subset=[number]).drop_duplicates([number, partner])
        shared = orders[orders.duplicated(number, keep=False)]
        if shared[number].nunique() < MIN_OVERLAP:
            continue
        differ = (shared.groupby(number)[content].nunique() > 1).all(axis=1)
        if differ.mean() > 0.5:
            return partner
    return None


def _guess_row_key(draft: Draft, frame: "pd.DataFrame", columns: Columns) -> None:
    pseudo = [FOLDER, FILE]
    repeated = float(frame.drop(columns=pseudo).duplicated().mean())
    if repeated < REPEATED or c.ORDER_ID not in columns.chosen:  # one customer may buy the same twice a day
        return
    if c.QUANTITY not in columns.chosen:
        draft.undecided.append(
            f"whether rows count that repeat another one ({repeated:.1%} of the sample): they count as"
            " further pieces; to count them once, set row_key"
        )
        return
    names = (c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE, c.NAME)
    key = [c.ORDER_ID, *(name for name in names if name in columns.chosen)]
    draft.put("row_key", key, f"{repeated:.1%} of the sampled rows repeat another one: they count once")
