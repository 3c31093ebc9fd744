"""Purchases that the service was told of: orders too, beside those that the shop's own source gives.

They are read whole every night, so that who was forgotten is gone here too. What the shop's orders hold
as well counts once: see `pipelines.validate.told`.
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
from serving.live.store import DAY, MICROSECONDS

SOURCE_NAME = "events"
ORDER_PREFIX = "event:"  # begins the ids of their orders


def pull() -> int:
    """How many order lines raw/ holds of them now; what was bought in one call on one day is an order.

    A product that had no price is left out until the shop's own orders tell of it.
    """
    store = forgotten.open_store()
    told = [row for row in store.purchases() if row.price]
    store.close()
    if not told and not raw.pulls(SOURCE_NAME):
        return 0
    now = dt.datetime.now(dt.UTC)
    last = max((_time(row.at).date() for row in told), default=now.date())
    return raw.append(
        SOURCE_NAME,
        raw.Watermark(id=SOURCE_NAME, started=now, last_day=last, reached={}, full=True),
        [_lines(told)],
    )


def _lines(told: list[Any]) -> pa.Table:
    """The lines of orders, in the schema RAW_ORDERS."""
    first: dict[tuple[str, int, int], Any] = {}
    bought: Counter[tuple[int, str, float]] = Counter()
    for row in told:
        order = first.setdefault((row.customer, row.recorded_at, row.at // DAY), row)
        bought[order.number, row.product, row.price] += 1
    orders = {order.number: order for order in first.values()}
    lines = [
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
        for line, ((number, product, price), units) in enumerate(bought.items())
    ]
    return pa.Table.from_pylist(lines, RAW_ORDERS)


def _time(microseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(microseconds / MICROSECONDS, dt.UTC)
