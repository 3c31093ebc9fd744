"""Purchases reported to the service and orders from shops' webhooks, as orders of a separate source.

Each nightly run reads all of them anew, and so drops purchases of forgotten customers. Orders that raw/ holds
from the shop itself are left out. `pipelines.validate.service_purchases` drops purchases that the shop's own
orders contain too.
"""

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract import raw
from pipelines.extract.staging import RAW_ORDERS
from pipelines.privacy import forgotten
from pipelines.privacy.forgotten import VIEW_RETENTION_DAYS
from pipelines.privacy.identity_rules import EVENTS
from serving.live import events, orders
from serving.live.identity import PSEUDONYM_PREFIX
from serving.live.store import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND, Store, now_microseconds

SOURCE_NAME = EVENTS
ORDER_PREFIX = "event:"  # marks the order ids of these purchases


def pull(source: str) -> int:
    """Replaces reported purchases and orders from webhooks in raw/; returns the number of their order lines.

    A customer's purchases of one request and one day form an order. A purchase without a price is left out.
    source: the name of the source whose orders raw/ holds already.
    """
    store = forgotten.open_store()
    purchases = [event for event in events.purchases(store) if event.price]
    pages = [_order_lines(purchases), *_new_orders(store, source)]
    store.close()
    if not sum(page.num_rows for page in pages) and not raw.pulls(SOURCE_NAME):
        return 0
    now = dt.datetime.now(dt.UTC)
    days = [
        dt.date.fromisoformat(text[: c.ISO_DAY_LENGTH])
        for page in pages
        if (text := pc.max(page[c.ORDERED_AT]).as_py())
    ]
    last_day = max(days, default=now.date())
    watermark = raw.Watermark(id=SOURCE_NAME, started=now, last_day=last_day, reached={}, full=True)
    return raw.append(SOURCE_NAME, watermark, pages)


def _new_orders(store: Store, source: str) -> Iterator[pa.Table]:
    """Yields the orders from webhooks that raw/ doesn't hold; deletes old ones that it holds."""
    pulls, in_raw = raw.pulls(source), []
    for rows in orders.with_lines(store):
        ids = pc.field(c.ORDER_ID).isin([row.order_id for row in rows])
        known = set(raw.read(pulls, [c.ORDER_ID], ids)[c.ORDER_ID].to_pylist())
        in_raw += [(row.profile, row.order_id) for row in rows if row.order_id in known]
        yield _webhook_lines([row for row in rows if row.order_id not in known])
    orders.remove(store, in_raw, now_microseconds() - VIEW_RETENTION_DAYS * MICROSECONDS_PER_DAY)


def _webhook_lines(rows: list[Any]) -> pa.Table:
    """Returns orders from webhooks in the schema RAW_ORDERS."""
    lines = [
        {
            c.ORDER_ID: f"{ORDER_PREFIX}{row.profile}:{row.order_id}",
            c.LINE: line,
            c.ORDERED_AT: _time(row.at).isoformat(),
            c.CUSTOMER: PSEUDONYM_PREFIX + row.customer if row.customer else None,
            c.PRODUCT: product,
            c.QUANTITY: f"{quantity:g}",
            c.UNIT_PRICE: None if price is None else str(price),
            c.CHANGED_AT: _time(row.changed_at).isoformat(),
            c.SOURCE: SOURCE_NAME,
            c.PAGE: 0,
            c.EXTRACTED_AT: _time(row.recorded_at),
        }
        for row in rows
        for line, (product, quantity, price) in enumerate(json.loads(row.lines))
    ]
    return pa.Table.from_pylist(lines, RAW_ORDERS)


def _order_lines(purchases: list[Any]) -> pa.Table:
    """Returns the purchases in the schema RAW_ORDERS; equal product and price in an order make one line."""
    first_events: dict[tuple[str, int, int], Any] = {}
    units_bought: Counter[tuple[int, str, float]] = Counter()
    for event in purchases:
        order = first_events.setdefault(
            (event.customer, event.recorded_at, event.at // MICROSECONDS_PER_DAY), event
        )
        units_bought[order.number, event.product, event.price] += 1
    by_number = {order.number: order for order in first_events.values()}
    rows = [
        {
            c.ORDER_ID: f"{ORDER_PREFIX}{number}",
            c.LINE: line,
            c.ORDERED_AT: _time(by_number[number].at).isoformat(),
            c.CUSTOMER: PSEUDONYM_PREFIX + by_number[number].customer,
            c.PRODUCT: product,
            c.QUANTITY: str(units),
            c.UNIT_PRICE: str(price),
            c.SOURCE: SOURCE_NAME,
            c.PAGE: 0,
            c.EXTRACTED_AT: _time(by_number[number].recorded_at),
        }
        for line, ((number, product, price), units) in enumerate(units_bought.items())
    ]
    return pa.Table.from_pylist(rows, RAW_ORDERS)


def _time(microseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(microseconds / MICROSECONDS_PER_SECOND, dt.UTC)
