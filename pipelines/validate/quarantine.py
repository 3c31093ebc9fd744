"""The order lines that row rules set aside, and how a person puts them back.

Every night writes anew all lines that break a rule, so that the newest night's are the present state.
A release holds for a line that says exactly the same, however often it is read; not for a changed one.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines import columns as c
from pipelines.lake import tables
from serving.errors import NightshelfError

# The lines of all other rules lack something that an order line needs.
RELEASABLE = ("huge_quantity", "price_outlier", "placeholder_customer", "no_customer")

SAYS = [c.ORDER_ID, c.ORDERED_AT, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE]
KEY = [*SAYS, c.RULE]
HEADINGS = {
    "order": c.ORDER_ID,
    "line": c.LINE,
    "time": c.ORDERED_AT,
    "product": c.PRODUCT,
    "quantity": c.QUANTITY,
    "price": c.UNIT_PRICE,
    "name": c.NAME,
    "customer": c.CUSTOMER,  # whether one was named
    "source/page": c.PAGE,
    "fault": c.FAULT,
}
RELEASED = pa.schema(
    [(name, pa.string()) for name in (*KEY, c.REASON)] + [(c.RELEASED_AT, pa.timestamp("us", "UTC"))]
)
COUNT, ORDERS, MARKED = "count_all", f"{c.ORDER_ID}_count_distinct", f"{c.RELEASED_AT}_sum"  # Arrow's names
FIRST, LAST = f"{c.DAY}_min", f"{c.DAY}_max"
ISO_DAY = r"^(?P<day>\d{4}-\d\d-\d\d)"


def overview(night: str | None) -> RenderableType:
    """The rules that lines broke, the most broken first; of the newest night unless one is given.

    Raises NightshelfError where that night isn't there.
    """
    if not night and next(nights(), None) is None:
        return "no night yet: run `nightshelf retrain`"
    day = _night(night)
    lines = tables.read(tables.QUARANTINE.format(day=day), KEY)
    total = f"night {day}: {lines.num_rows:,} order lines in quarantine"
    return Group(_overview(_by_rule(lines)), total) if lines.num_rows else total


def detail(rule: str, night: str | None, orders: list[str], n: int) -> Group:
    """At most n lines that broke a rule, as received, the newest first; of a customer whether one was named.

    Raises NightshelfError where the night, lines of the rule or lines of an order aren't there.
    """
    day = _night(night)
    lines = _broken(day, rule, orders, [*HEADINGS.values(), c.SOURCE, c.RULE])
    newest = lines.sort_by([(c.ORDERED_AT, "descending"), (c.ORDER_ID, "ascending"), (c.LINE, "ascending")])
    table = Table()
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")  # an order's id cut short can't be asked for
    for row in newest.slice(0, n).to_pylist():
        row[c.CUSTOMER] = "no" if row[c.CUSTOMER] is None else "yes"
        row[c.PAGE] = f"{row[c.SOURCE]}/{row[c.PAGE]}"
        table.add_row(*(_plain(row[name]) for name in HEADINGS.values()))
    return Group(table, f"night {day}: {table.row_count:,} of {lines.num_rows:,} lines")


def release(rule: str, reason: str, night: str | None, orders: list[str]) -> str:
    """How many lines go back with the next night; of all orders that broke the rule unless some are given.

    Raises NightshelfError where there is nothing to put back, or no reason.
    """
    if not reason.strip():
        raise NightshelfError("--reason is empty: say why these lines are good")
    lines = _broken(_night(night), rule, orders, KEY)
    if rule not in RELEASABLE:
        raise NightshelfError(
            f"lines that break {rule} lack what an order line needs, so there is nothing to put back:"
            f" mend them at the source; what can be released: {', '.join(RELEASABLE)}"
        )
    new = lines.filter(pc.invert(_released(lines)))
    tables.write(tables.RELEASES, pa.concat_tables([releases(), _stamped(new, reason.strip())]))
    return (
        f"{new.num_rows:,} order lines go back with the next night, unless they break another rule: run"
        f" `nightshelf retrain` or wait for the DAG; {lines.num_rows - new.num_rows:,} were released before"
    )


def nights() -> Iterator[str]:
    """The days of the nights that wrote a quarantine, newest first."""
    folder = tables.QUARANTINE.partition("/date=")[0]
    for name in reversed(tables.entries(folder)):
        if tables.exists(f"{folder}/{name}"):  # a killed night leaves a folder without
            yield name.removeprefix("date=")


def releases() -> pa.Table:
    """What was put back so far, in the columns of RELEASED; no rows where nothing ever was."""
    if not tables.exists(tables.RELEASES):
        return RELEASED.empty_table()
    return tables.read(tables.RELEASES)


def _night(asked: str | None) -> str:
    """The night asked for, else the newest; raises NightshelfError where it isn't there."""
    newest = next(nights(), None)
    if newest is None:
        raise NightshelfError("there is no quarantine yet: run `nightshelf retrain` first")
    if asked and asked not in nights():
        raise NightshelfError(f"there is no quarantine of a night {asked!r}: the newest is {newest}")
    return asked or newest


def _overview(rules: list[dict[str, Any]]) -> Table:
    table = Table()
    for heading in ("rule", "lines", "orders", "first day", "last day", "released"):
        right = heading in ("lines", "orders", "released")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in rules:
        lines, orders, released = (f"{row[name]:,}" for name in (COUNT, ORDERS, MARKED))
        told = released if row[c.RULE] in RELEASABLE else "can't be"
        table.add_row(*map(_plain, [row[c.RULE], lines, orders, row[FIRST], row[LAST], told]))
    return table


def _by_rule(lines: pa.Table) -> list[dict[str, Any]]:
    days = pc.struct_field(pc.extract_regex(lines[c.ORDERED_AT], ISO_DAY), "day")
    marked = lines.append_column(c.DAY, days).append_column(c.RELEASED_AT, _released(lines))
    orders, released = (c.ORDER_ID, "count_distinct"), (c.RELEASED_AT, "sum")
    measures = [([], COUNT), orders, (c.DAY, "min"), (c.DAY, "max"), released]
    found = marked.group_by(c.RULE).aggregate(measures)
    rows: list[dict[str, Any]] = found.sort_by([(COUNT, "descending"), (c.RULE, "ascending")]).to_pylist()
    return rows


def _broken(day: str, rule: str, orders: list[str], columns: list[str]) -> pa.Table:
    """A night's lines that broke a rule, of all orders or of some."""
    every = tables.read(tables.QUARANTINE.format(day=day), columns)
    lines = every.filter(pc.equal(every[c.RULE], rule))
    if not lines.num_rows:
        rules = ", ".join(sorted(every[c.RULE].unique().to_pylist())) or "none"
        raise NightshelfError(
            f"no line of the night {day} broke {rule!r}; the rules that lines broke: {rules}"
        )
    if unknown := set(orders) - set(lines[c.ORDER_ID].to_pylist()):
        raise NightshelfError(
            f"no line of order {', '.join(map(repr, sorted(unknown)))} broke {rule} in the night {day}:"
            f" `nightshelf quarantine show {rule}` names the orders"
        )
    return lines.filter(pc.is_in(lines[c.ORDER_ID], pa.array(orders))) if orders else lines


def _released(lines: pa.Table) -> pa.Array:
    """Whether each line was put back before; pandas' merge, unlike Arrow's join, lets null equal null."""
    known = releases().select(KEY).to_pandas().drop_duplicates()
    found = lines.select(KEY).to_pandas().merge(known, how="left", indicator="known")
    return pa.array(found["known"] == "both")


def _stamped(lines: pa.Table, reason: str) -> pa.Table:
    """The releases of lines; those that say the same are one."""
    distinct = lines.group_by(KEY).aggregate([])
    stamps = {c.REASON: reason, c.RELEASED_AT: dt.datetime.now(dt.UTC)}
    for name, stamp in stamps.items():
        distinct = distinct.append_column(name, pa.repeat(pa.scalar(stamp), distinct.num_rows))
    return distinct.cast(RELEASED)


def _plain(value: object) -> Text:
    """A value as it stands: what the shop wrote is neither markup nor a command to the terminal."""
    text = "-" if value is None else str(value)
    return Text("".join(one if one.isprintable() else repr(one)[1:-1] for one in text))
