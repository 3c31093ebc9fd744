"""What `inspect` prints: rows beside the order lines that they become, counts, and what is undecided."""

from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from pipelines import columns as c
from pipelines.extract.inspect.masking import masked, masked_text, personal_columns

SHOWN = 20
RAW_WIDTH = 60
HEADINGS = {
    c.ORDER_ID: "order",
    c.ORDERED_AT: "time",
    c.CUSTOMER: "customer",
    c.PRODUCT: "product",
    c.QUANTITY: "quantity",
    c.UNIT_PRICE: "price",
    c.NAME: "name",
    c.LEFT_OUT: "left out",
}


@dataclass
class Counts:
    """How many order lines were read, and what would become of them before the row checks."""

    lines: int = 0
    orders: int = 0
    customers: int = 0
    products: int = 0
    without_customer: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)  # lines that would be quarantined, by the reason
    is_complete: bool = True  # false: reading took too long, so that only the first lines were counted


def parsed_rows(lines: pa.Table, frame: "pd.DataFrame", raw: list[str], customer: list[str]) -> Table:
    """Returns a table of the first rows: their text, and the order lines that they become.

    lines: order lines, one per row of `frame`. frame: its index counts the rows of `raw`.
    """
    shown = [name for name in HEADINGS if name in lines.column_names and _is_filled(lines[name])]
    table = Table(Column("row", overflow="fold", max_width=RAW_WIDTH), *(HEADINGS[name] for name in shown))
    personal = personal_columns(map(str, frame.columns), customer)
    previous = None
    for position, line in enumerate(lines.slice(0, SHOWN).select(shown).to_pylist()):
        index = frame.index[position]
        text = "" if index == previous else masked_text(raw[index], frame.iloc[position], personal)
        previous = index
        cells = (masked(value) if name == c.CUSTOMER else value or "" for name, value in line.items())
        table.add_row(Text(_short(text)), *map(Text, cells))
    return table


def _is_filled(column: pa.ChunkedArray) -> bool:
    return any(value for value in column.slice(0, SHOWN).to_pylist())


def _short(text: str) -> str:
    return text if len(text) <= 2 * RAW_WIDTH else f"{text[: 2 * RAW_WIDTH - 1]}…"


def counts_table(counts: Counts) -> RenderableType:
    """Returns how many lines were read, and how many would be left out or quarantined, by the reason."""
    table = Table("order lines", Column(justify="right"))
    table.add_row("read", f"{counts.lines:,}")
    for reason, lines in sorted(counts.left_out.items(), key=lambda item: -item[1]):
        table.add_row(f"left out: {reason.replace('_', ' ')}", f"{lines:,}")
    for fault, lines in sorted(counts.faults.items(), key=lambda item: -item[1]):
        table.add_row(f"not usable: {fault}", f"{lines:,}")
    sizes = f"{counts.orders:,} orders, {counts.customers:,} customers, {counts.products:,} products"
    guests = f"; {counts.without_customer:,} lines without a customer" if counts.without_customer else ""
    part = "" if counts.is_complete else "; only the first lines were counted, as there are many"
    return Group(table, Text(f"{sizes}{guests}{part}"))


def undecided(items: list[str]) -> RenderableType:
    """Returns the list of what could not be decided."""
    if not items:
        return Text("everything could be decided")
    return Group(Text("could not be decided:"), *(Text(f"- {item}") for item in items))
