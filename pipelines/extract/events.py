"""Purchases reported to the service, as orders of a separate source.

Each nightly run reads all of them anew, and so drops purchases of forgotten customers.
`pipelines.validate.service_purchases` drops purchases that the shop's own orders contain too.
"""

import datetime as dt
from collections import Counter
from typing import Any

import pyarrow as pa

from pipelines import columns as c
from pipelines.extract import raw
from pipelines.extract.staging import RAW_ORDERS
from pipelines.privacy import forgotten
from serving.live.identity import PSEUDONYM_PREFIX
from serving.live.store import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND

SOURCE_NAME = "events"
ORDER_PREFIX = "event:"  # marks the order ids of these purchases


def pull() -> int:
    """Replaces the reported purchases in raw/, and returns the number of their order lines.

    A customer's purchases of one request and one day form an order. A purchase without a price is left out.
    """
    store = forgotten.open_store()
    purchases = [event for event in store.purchases() if event.price]
    store.close()
    if not purchases and not raw.pulls(SOURCE_NAME):
        return 0
    now = dt.datetime.now(dt.UTC)
    last_day = max((_time(event.at).date() for event in purchases), default=now.date())
    watermark = raw.Watermark(id=SOURCE_NAME, started=now, last_day=last_day, reached={}, full=True)
    return raw.append(SOURCE_NAME, watermark, [_order_lines(purchases)])


def _order_lines(purchases: list[Any]) -> pa.Table:
    """Returns the purchases in the schema RAW_ORDERS; equal product and price in an order make one line."""
    first_events: dict[tuple[str, int, int], Any] = {}
    units_bought: Counter[tuple[int, str, float]] = Counter()
    for event in purchases:
        order = first_events.setdefault(
            (event.customer, event.recorded_at, event.at // MICROSECONDS_PER_DAY), event
        )
        units_bought[order.number, event.product, event.price] += 1
    orders = {order.number: order for order in first_events.values()}
    rows = [
        {
            c.ORDER_ID: f"{ORDER_PREFIX}{number}",
            c.LINE: line,
            c.ORDERED_AT: _time(orders[number].at).isoformat(),
            c.CUSTOMER: PSEUDONYM_PREFIX + orders[number].customer,
            c.PRODUCT: product,
            c.QUANTITY: str(units),
            c.UNIT_PRICE: str(price),
            c.SOURCE: SOURCE_NAME,
            c.PAGE: 0,
            c.EXTRACTED_AT: _time(orders[number].recorded_at),
        }
        for line, ((number, product, price), units) in enumerate(units_bought.items())
    ]
    return pa.Table.from_pylist(rows, RAW_ORDERS)


def _time(microseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(microseconds / MICROSECONDS_PER_SECOND, dt.UTC)
