"""Full dumps: each new file of a source holds all of the shop's orders, so that orders can go missing."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract import raw, versions
from pipelines.extract.source import last_iso_day
from pipelines.extract.staging import RAW_ORDERS

NOT_IN_DUMP = "not_in_newest_dump"  # the reason for which such an order is left out
NEEDED = [c.ORDER_ID, c.CHANGED_AT, c.LEFT_OUT, c.SOURCE, *raw.VERSION]

Pages = Callable[[], Iterable[pa.Table]]  # iterates over the pages, from the beginning at each call


def missing_orders(
    known: list[str], last_day: dt.date | None, staged: Pages, timezone: str = "UTC"
) -> pa.Table | None:
    """Returns a row per order that earlier files hold and the newest dump lacks, in columns of RAW_ORDERS.

    Such a row replaces its order: it has no line, and is left out for the reason NOT_IN_DUMP. Returns None if
    no new dump was staged but only empty files, or an older dump that was read again: the orders of its last
    page are all of days before `last_day`.

    known: the tables of the pulls so far. last_day: the latest day of an order so far.
    timezone: of times without an offset.
    """
    newest = max((page[c.PAGE][0].as_py() for page in staged() if page.num_rows), default=None)
    dump = list(_of_page(staged, newest))
    day = last_iso_day((page[c.ORDERED_AT] for page in dump), timezone)
    if day is None or (last_day and day < last_day):
        return None
    present = pa.chunked_array([pc.unique(page[c.ORDER_ID]) for page in dump], pa.string()).unique()
    is_missing = ~pc.field(c.ORDER_ID).isin(present) & pc.field(c.ORDER_ID).is_valid()
    earlier = [page.select(NEEDED).filter(is_missing) for page in staged()]
    return _removals(pa.concat_tables([raw.read(known, NEEDED, is_missing), *earlier]), dump[-1])


def _of_page(staged: Pages, number: int | None) -> Iterator[pa.Table]:
    for page in staged():
        if page.num_rows and page[c.PAGE][0].as_py() == number:
            yield page.select([c.ORDER_ID, c.ORDERED_AT, c.SOURCE, *raw.VERSION])


def _removals(rows: pa.Table, dump: pa.Table) -> pa.Table:
    """Returns a row for each order that isn't left out as missing already.

    A removal has the order's last change and the dump's version. So it counts instead of the order, and the
    order counts again once a later dump holds it.
    """
    newest = versions.newest_versions(rows.to_pandas())
    kept = newest[newest[c.LEFT_OUT] != NOT_IN_DUMP]
    orders = kept.groupby(c.ORDER_ID)[c.CHANGED_AT].max()
    version = {name: dump[name][0].as_py() for name in (c.SOURCE, *raw.VERSION)}
    removals = [
        {c.ORDER_ID: order, c.CHANGED_AT: changed, c.LEFT_OUT: NOT_IN_DUMP, c.LINE: 0} | version
        for order, changed in zip(orders.index, map(_text, orders), strict=True)
    ]
    return pa.Table.from_pylist(removals, RAW_ORDERS)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
