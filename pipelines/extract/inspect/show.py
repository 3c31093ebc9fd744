"""What `inspect` prints: rows beside the order lines that they become, counts, and what is undecided."""

import re
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from pipelines import columns as c
from pipelines.extract.inspect.masking import masked, masked_text, personal_columns

SHOWN = 20
RAW_LENGTH = 200  # more doesn't fit beside anything
SEPARATOR = " · "


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


def parsed_rows(
    lines: pa.Table,
    frame: "pd.DataFrame",
    raw: list[str],
    customer: list[str],
    described: str = "row of the file",
) -> Table:
    """Returns a table of the first rows: their text, and the order lines that they become.

    lines: order lines, one per row of `frame`. frame: its index counts the rows of `raw`, which `described`
    names.
    """
    heading = SEPARATOR.join(("order", "time", "customer", "product", "quantity x price", "name"))
    table = Table(_cut(described), _cut(heading), expand=True)
    personal = personal_columns(map(str, frame.columns), customer)
    previous = None
    for position, line in enumerate(lines.slice(0, SHOWN).to_pylist()):
        index = frame.index[position]
        text = "" if index == previous else masked_text(raw[index], frame.iloc[position], personal)
        previous = index
        table.add_row(Text(text[:RAW_LENGTH]), Text(_order_line(line)))
    return table


def _cut(heading: str) -> Column:
    """Returns a column whose cells are one line, however narrow the terminal."""
    return Column(heading, no_wrap=True, overflow="ellipsis", ratio=1)


def _order_line(line: dict[str, str | None]) -> str:
    """Returns an order line as one line of text, the customer masked."""
    price = line.get(c.UNIT_PRICE)
    bought = f"{line[c.QUANTITY]} x {price}" if price else str(line[c.QUANTITY])
    who = masked(line.get(c.CUSTOMER)) or "no customer"
    order = line[c.ORDER_ID] or ""
    if customer := line.get(c.CUSTOMER):
        # Where customer and day make an order.
        order = re.sub(rf"(?<!\w){re.escape(customer)}(?!\w)", lambda _: who, order)
    parts = (order, line[c.ORDERED_AT], who, line[c.PRODUCT], bought, line.get(c.NAME))
    text = SEPARATOR.join(str(part) for part in parts if part)
    return f"(left out: {line[c.LEFT_OUT]}) {text}" if line.get(c.LEFT_OUT) else text


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
