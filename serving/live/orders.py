"""Orders from shops' webhooks: each is stored once, in its newest version, with its purchases as events."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from serving.live.room import Room
from serving.live.store import Store, next_number, now_microseconds
from serving.live.tables import ORDERED, events, forgotten, orders

Outcome = Literal["stored", "removed", "unchanged"]
Line = tuple[str, float, float | None]  # product, quantity, price of one piece
BATCH_ROWS = 5000


@dataclass(frozen=True)
class Order:
    """One version of an order; without lines it is cancelled."""

    profile: str
    order_id: str  # the shop's own
    customer: str | None  # pseudonym; None for a guest
    at: int  # microseconds since 1970
    changed_at: int
    lines: tuple[Line, ...] = ()


def put(store: Store, order: Order, room: Room | None = None) -> Outcome:
    """Stores an order in place of its earlier version, unless that is newer or equal.

    Its lines are purchases of the customer, if the customer is known and wasn't forgotten since. Raises
    StoreError, and StoreFullError, and then stores nothing; room: of the store, by default without a limit.
    """
    with store.transaction() as connection:
        next_number(connection)  # two versions of an order may arrive at once: the second waits
        known = connection.execute(sa.select(orders).where(_is(order))).one_or_none()
        row = _row(order)
        if known is not None and (known.changed_at > order.changed_at or _content(known) == _content(row)):
            return "unchanged"
        if order.customer and order.at <= _forgotten_at(connection, order.customer):
            return "removed" if not order.lines else "stored"
        old, purchases = len(json.loads(known.lines)) if known is not None else 0, _purchases(order)
        if room and order.lines:
            room.take(connection, 1 + len(purchases))
        connection.execute(sa.delete(events).where(events.c.id.in_(_event_ids(order, old))))
        changes = {name: value for name, value in row.items() if name not in ("profile", "order_id")}
        insert = store.insert(orders).values(row)
        connection.execute(insert.on_conflict_do_update(index_elements=["profile", "order_id"], set_=changes))
        if purchases:
            connection.execute(store.insert(events), purchases)
        return "stored" if order.lines else "removed"


def with_lines(store: Store) -> Iterator[list[Any]]:
    """Yields all orders that aren't cancelled, as rows of the table, in batches."""
    query = sa.select(orders).where(orders.c.lines != "[]").order_by(orders.c.profile, orders.c.order_id)
    with store.transaction() as connection:
        for part in connection.execution_options(yield_per=BATCH_ROWS).execute(query).partitions():
            yield list(part)


def remove(store: Store, keys: Sequence[tuple[str, str]], before: int) -> None:
    """Deletes orders recorded before a time, with their events: those of these keys, and cancelled ones.

    keys: profile and order id of each.
    """
    old = orders.c.recorded_at < before
    with store.transaction() as connection:
        connection.execute(sa.delete(orders).where(old & (orders.c.lines == "[]")))
        for profile, order_id in keys:
            same = (orders.c.profile == profile) & (orders.c.order_id == order_id) & old
            for row in connection.execute(sa.select(orders).where(same)).all():
                ids = _event_ids(row, len(json.loads(row.lines)))
                connection.execute(sa.delete(events).where(events.c.id.in_(ids)))
            connection.execute(sa.delete(orders).where(same))


def _is(order: Order) -> "sa.ColumnElement[bool]":
    return (orders.c.profile == order.profile) & (orders.c.order_id == order.order_id)


def _row(order: Order) -> dict[str, Any]:
    return {
        "profile": order.profile,
        "order_id": order.order_id,
        "customer": order.customer,
        "at": order.at,
        "changed_at": order.changed_at,
        "recorded_at": now_microseconds(),
        "lines": json.dumps(order.lines),
    }


def _content(row: Any) -> tuple[Any, ...]:
    values = row if isinstance(row, dict) else row._mapping
    return tuple(values[name] for name in ("changed_at", "at", "customer", "lines"))


def _forgotten_at(connection: sa.Connection, customer: str) -> int:
    query = sa.select(forgotten.c.at).where(forgotten.c.customer == customer)
    return connection.execute(query).scalar() or 0


def _event_ids(order: Any, lines: int) -> list[str]:
    """Returns the ids of the events of an order with this many lines."""
    names = (f"{order.profile}\n{order.order_id}\n{line}" for line in range(lines))
    return [hashlib.sha256(name.encode()).hexdigest() for name in names]


def _purchases(order: Order) -> list[dict[str, Any]]:
    """Returns the rows of the order's events, without gifts (price 0), which the customer didn't choose."""
    now, ids = now_microseconds(), _event_ids(order, len(order.lines))
    return [
        {"id": id_, "customer": order.customer, "product": product, "kind": ORDERED, "at": order.at}
        | {"recorded_at": now, "price": price}
        for id_, (product, quantity, price) in zip(ids, order.lines, strict=True)
        if order.customer and quantity > 0 and price != 0
    ]
