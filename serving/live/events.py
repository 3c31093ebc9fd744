"""Customers' events in the store: what a shop reports to the service about a customer and a product.

The lines of a webhook's order are events as well, so `count` and `move` also apply to a customer's orders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from serving.live.store import Store, now_microseconds
from serving.live.tables import ORDERED, PURCHASE, Kind, events, forgotten, orders

EVENTS_PER_ANSWER = 500  # latest events of a customer that an answer uses

LATEST = (
    sa.select(
        events.c.product,
        sa.case((events.c.kind == ORDERED, PURCHASE), else_=events.c.kind).label("kind"),
        events.c.at,
    )
    .where(events.c.customer == sa.bindparam("customer"))
    .order_by(events.c.at.desc())
    .limit(EVENTS_PER_ANSWER)
)


@dataclass(frozen=True)
class Event:
    """An action of a customer on a product, and the product's price at that time."""

    customer: str  # pseudonym
    product: str
    kind: Kind
    at: int  # microseconds since 1970
    id: str | None = None
    price: float | None = None


def add(store: Store, new: Sequence[Event]) -> None:
    """Adds events, except those whose id is stored and those from before a customer was forgotten."""
    now = now_microseconds()
    with store.transaction() as connection:
        involved = forgotten.c.customer.in_({event.customer for event in new})
        query = sa.select(forgotten.c.customer, forgotten.c.at).where(involved)
        forgotten_at = dict(connection.execute(query).all())
        rows = [
            vars(event) | {"recorded_at": now}
            for event in new
            if event.at > forgotten_at.get(event.customer, 0)
        ]
        if rows:
            connection.execute(store.insert(events).on_conflict_do_nothing(index_elements=["id"]), rows)


def latest(store: Store, customer: str) -> Sequence[Any]:
    """Returns a customer's latest EVENTS_PER_ANSWER events, newest first: product, kind and time."""
    with store.reading() as connection:
        return connection.execute(LATEST, {"customer": customer}).all()


def customers(store: Store) -> set[str]:
    """Returns all customers with events."""
    with store.reading() as connection:
        return set(connection.execute(sa.select(events.c.customer).distinct()).scalars())


def purchases(store: Store) -> Sequence[Any]:
    """Returns all reported purchases in the order in which they were recorded, without those of orders."""
    query = sa.select(events).where(events.c.kind == PURCHASE).order_by(events.c.number)
    with store.reading() as connection:
        return connection.execute(query).all()


def count(store: Store, customer: str) -> int:
    """Returns the number of a customer's events and orders."""
    queries = [sa.select(sa.func.count()).where(table.c.customer == customer) for table in (events, orders)]
    with store.reading() as connection:
        return sum(int(connection.execute(query).scalar_one()) for query in queries)


def move(store: Store, customers: dict[str, str | None]) -> int:
    """Gives events and orders to other pseudonyms, or deletes them; returns their number.

    customers: the new pseudonym by the old one; None deletes.
    """
    moved = 0
    with store.transaction() as connection:
        for table in (events, orders):
            for old, new in customers.items():
                change = sa.update(table).values(customer=new) if new else sa.delete(table)
                moved += int(connection.execute(change.where(table.c.customer == old)).rowcount)
    return moved


def prune(store: Store, before: int) -> None:
    """Deletes views and cart events from before a time."""
    old = events.c.kind.in_(("view", "cart")) & (events.c.at < before)
    with store.transaction() as connection:
        connection.execute(sa.delete(events).where(old))
