"""Shows the quarantine, the order lines that failed a row check, and releases lines from it.

Every nightly run writes all lines that fail a row check, so the newest run's quarantine is the present state.
A release applies to every line with exactly the same content, however often it is read. The next nightly run
uses the line, or accepts it as lost if it lacks what an order line needs: then it no longer counts among the
lines that fail a row check.
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

# Lines that fail any other row check lack data that an order line needs. A line without a price is used
# without it.
USABLE = ("huge_quantity", "bad_price", "price_outlier", "placeholder_customer", "no_customer")

CONTENT = [c.ORDER_ID, c.ORDERED_AT, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE]
POSITION = [c.SOURCE, c.LINE]  # of a line without an order id, which has little content; null for the others
KEY = [*CONTENT, *POSITION, c.RULE]
HEADINGS = {
    "order": c.ORDER_ID,
    "line": c.LINE,
    "time": c.ORDERED_AT,
    "product": c.PRODUCT,
    "quantity": c.QUANTITY,
    "price": c.UNIT_PRICE,
    "name": c.NAME,
    "customer": c.CUSTOMER,  # shown as yes or no
    "source/page": c.PAGE,
    "fault": c.FAULT,
}
RELEASED = pa.schema(
    [(name, pa.string()) for name in (*CONTENT, c.SOURCE)]
    + [(c.LINE, pa.int64()), (c.RULE, pa.string()), (c.REASON, pa.string())]
    + [(c.RELEASED_AT, pa.timestamp("us", "UTC"))]
)
# The names that Arrow gives to the columns of aggregates.
COUNT, ORDERS = "count_all", f"{c.ORDER_ID}_count_distinct"
RELEASED_LINES = f"{c.RELEASED_AT}_sum"
FIRST, LAST = f"{c.DAY}_min", f"{c.DAY}_max"


def overview(night: str | None) -> RenderableType:
    """Returns a table of how many lines failed each row check, largest number first.

    night: the day of a nightly run; None for the newest.
    Raises NightshelfError if there is no quarantine of that nightly run.
    """
    if not night and next(run_days(), None) is None:
        return "there is no nightly run yet: run `nightshelf retrain`"
    day = _run_day(night)
    lines = _keyed(tables.read(tables.QUARANTINE.format(day=day), KEY))
    total = f"nightly run of {day}: {lines.num_rows:,} order lines in quarantine"
    return Group(_overview(_by_check(lines)), total) if lines.num_rows else total


def detail(rule: str, night: str | None, orders: list[str], n: int) -> Group:
    """Returns a table of at most n lines that failed a row check, as received, newest first.

    rule: the name of the row check. The customer is shown as yes or no.
    Raises NightshelfError if there is no such nightly run, or if its quarantine has no line of the row check
    or of one of the orders.
    """
    day = _run_day(night)
    lines = _failed(day, rule, orders, [*HEADINGS.values(), c.SOURCE, c.RULE])
    newest = lines.sort_by([(c.ORDERED_AT, "descending"), (c.ORDER_ID, "ascending"), (c.LINE, "ascending")])
    table = Table()
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")  # --order needs the whole id
    for row in newest.slice(0, n).to_pylist():
        row[c.CUSTOMER] = "no" if row[c.CUSTOMER] is None else "yes"
        row[c.PAGE] = f"{row[c.SOURCE]}/{row[c.PAGE]}"
        table.add_row(*(_plain(row[name]) for name in HEADINGS.values()))
    return Group(table, f"nightly run of {day}: {table.row_count:,} of {lines.num_rows:,} lines")


def release(rule: str, reason: str, night: str | None, orders: list[str]) -> str:
    """Releases the lines that failed a row check, of all orders or of the given orders; returns a message.

    Raises NightshelfError if the reason is empty, or no line matches.
    """
    if not reason.strip():
        raise NightshelfError("--reason is empty: state why these lines are valid")
    lines = _keyed(_failed(_run_day(night), rule, orders, KEY))
    new = lines.filter(pc.invert(_released(lines)))
    tables.write(tables.RELEASES, pa.concat_tables([releases(), _stamped(new, reason.strip())]))
    effect = (
        "uses them unless they fail another row check"
        if rule in USABLE
        else "accepts them as lost, since they lack what an order line needs: they are not used, but don't"
        " count among the lines that fail a row check. To use them, correct them at the source"
    )
    return (
        f"released {new.num_rows:,} order lines ({lines.num_rows - new.num_rows:,} were released before): the"
        f" next nightly run {effect}; run `nightshelf retrain` or wait for the DAG"
    )


def run_days() -> Iterator[str]:
    """Yields the days of the nightly runs that wrote a quarantine, newest first."""
    folder = tables.QUARANTINE.partition("/date=")[0]
    for name in reversed(tables.entries(folder)):
        if tables.exists(f"{folder}/{name}"):  # a killed run leaves an empty folder
            yield name.removeprefix("date=")


def releases() -> pa.Table:
    """Returns all releases so far, with the columns of RELEASED."""
    if not tables.exists(tables.RELEASES):
        return RELEASED.empty_table()
    written = tables.read(tables.RELEASES)  # by an older release perhaps without the columns of POSITION
    missing = [field for field in RELEASED if field.name not in written.column_names]
    for field in missing:
        written = written.append_column(field, pa.nulls(written.num_rows, field.type))
    return written.select(RELEASED.names)


def _run_day(requested: str | None) -> str:
    """Returns the requested or the newest day; raises NightshelfError if there is no quarantine of it."""
    newest = next(run_days(), None)
    if newest is None:
        raise NightshelfError("there is no quarantine yet: run `nightshelf retrain` first")
    if requested and requested not in run_days():
        raise NightshelfError(
            f"there is no quarantine of {requested!r}: give the day of a nightly run with --night;"
            f" the newest is {newest}"
        )
    return requested or newest


def _overview(checks: list[dict[str, Any]]) -> Table:
    table = Table()
    for heading in ("row check", "lines", "orders", "first day", "last day", "released"):
        right = heading in ("lines", "orders", "released")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in checks:
        lines, orders, released = (f"{row[name]:,}" for name in (COUNT, ORDERS, RELEASED_LINES))
        table.add_row(*map(_plain, [row[c.RULE], lines, orders, row[FIRST], row[LAST], released]))
    return table


def _by_check(lines: pa.Table) -> list[dict[str, Any]]:
    days = pc.struct_field(pc.extract_regex(lines[c.ORDERED_AT], f"(?P<day>{c.ISO_DAY})"), "day")
    marked = lines.append_column(c.DAY, days).append_column(c.RELEASED_AT, _released(lines))
    orders, released = (c.ORDER_ID, "count_distinct"), (c.RELEASED_AT, "sum")
    measures = [([], COUNT), orders, (c.DAY, "min"), (c.DAY, "max"), released]
    counts = marked.group_by(c.RULE).aggregate(measures)
    rows: list[dict[str, Any]] = counts.sort_by([(COUNT, "descending"), (c.RULE, "ascending")]).to_pylist()
    return rows


def _failed(day: str, rule: str, orders: list[str], columns: list[str]) -> pa.Table:
    """Returns the lines that failed a row check in a nightly run, of all orders or of the given orders."""
    quarantined = tables.read(tables.QUARANTINE.format(day=day), columns)
    lines = quarantined.filter(pc.equal(quarantined[c.RULE], rule))
    if not lines.num_rows:
        checks = ", ".join(sorted(quarantined[c.RULE].unique().to_pylist())) or "none"
        raise NightshelfError(
            f"no line of the nightly run of {day} failed {rule!r}; row checks that lines failed: {checks}"
        )
    if unknown := set(orders) - set(lines[c.ORDER_ID].to_pylist()):
        raise NightshelfError(
            f"no line of order {', '.join(map(repr, sorted(unknown)))} failed {rule} in the nightly run of"
            f" {day}: `nightshelf quarantine show {rule}` lists the orders"
        )
    return lines.filter(pc.is_in(lines[c.ORDER_ID], pa.array(orders))) if orders else lines


def _keyed(lines: pa.Table) -> pa.Table:
    """Returns lines with their position in the source only where it identifies them."""
    for name in POSITION:
        index = lines.schema.get_field_index(name)
        position = pc.if_else(pc.is_null(lines[c.ORDER_ID]), lines[name], None)
        lines = lines.set_column(index, name, position)
    return lines


def _released(lines: pa.Table) -> pa.Array:
    """Returns a mask of the lines released before; pandas merges nulls as equal, Arrow's join does not."""
    known = releases().select(KEY).to_pandas().drop_duplicates()
    merged = lines.select(KEY).to_pandas().merge(known, how="left", indicator="known")
    return pa.array(merged["known"] == "both")


def _stamped(lines: pa.Table, reason: str) -> pa.Table:
    """Returns the releases of lines, in the columns of RELEASED: one row per distinct content."""
    distinct = lines.group_by(KEY).aggregate([])
    stamps = {c.REASON: reason, c.RELEASED_AT: dt.datetime.now(dt.UTC)}
    for name, stamp in stamps.items():
        distinct = distinct.append_column(name, pa.repeat(pa.scalar(stamp), distinct.num_rows))
    return distinct.cast(RELEASED)


def _plain(value: object) -> Text:
    """Returns a value as literal text: the shop's data may hold markup and control characters."""
    text = "-" if value is None else str(value)
    return Text("".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text))
