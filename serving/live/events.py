"""Customers' events in the store: what a shop reports to the service about a customer and a product.

The lines of a webhook's order are events as well, so `count` and `move` also apply to a customer's orders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from serving.errors import NightshelfError
from serving.live.room import Room
from serving.live.store import Store, now_microseconds
from serving.live.tables import ORDERED, PURCHASE, Kind, events, forgotten, orders

EVENTS_PER_ANSWER = 500  # latest events of a customer that an answer uses
MOST_VISITS = 1000  # latest views and cart events of a customer that are kept
MOST_PER_CUSTOMER = 5000  # events of a customer; a person doesn't reach it
VIEW_RETENTION_DAYS = 90  # of views and cart events; older ones no longer predict anything
VISITS = ("view", "cart")

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
    at: int | None  # microseconds since 1970; None: when it is recorded
    id: str | None = None
    price: float | None = None


class TooManyEventsError(NightshelfError):
    """A customer has so many events that no more are stored."""


def add(store: Store, new: Sequence[Event], room: Room | None = None) -> None:
    """Adds events, except those whose id is stored and those from before a customer was forgotten.

    A customer's views and cart events but the latest MOST_VISITS are deleted. Raises TooManyEventsError and
    StoreFullError, and then adds none; room: of the store, by default without a limit.
    """
    now, customers = now_microseconds(), {event.customer for event in new}
    with store.transaction() as connection:
        query = sa.select(forgotten.c.customer, forgotten.c.at).where(forgotten.c.customer.in_(customers))
        forgotten_at = dict(connection.execute(query).all())
        rows = [row for event in new if (row := _row(event, now, forgotten_at.get(event.customer, 0)))]
        if not rows:
            return
        if room:
            room.take(connection, len(rows))
        connection.execute(store.insert(events).on_conflict_do_nothing(index_elements=["id"]), rows)
        _bound(connection, customers)


def _row(event: Event, now: int, forgotten_at: int) -> dict[str, Any] | None:
    """Returns the row of an event, None for one from before its customer was forgotten."""
    # The clock may have been set back since; what happens now is after the forgetting in any case.
    at = max(now, forgotten_at + 1) if event.at is None else event.at
    return vars(event) | {"at": at, "recorded_at": now} if at > forgotten_at else None


def _bound(connection: sa.Connection, customers: set[str]) -> None:
    """Deletes the oldest visits of customers who have many; raises TooManyEventsError for more than that."""
    for customer, number in _many(connection, customers, MOST_VISITS):
        own = (events.c.customer == customer) & events.c.kind.in_(VISITS)
        kept = sa.select(events.c.number).where(own).order_by(events.c.at.desc()).limit(MOST_VISITS)
        deleted = connection.execute(sa.delete(events).where(own & events.c.number.not_in(kept)))
        if number - int(deleted.rowcount) > MOST_PER_CUSTOMER:
            raise TooManyEventsError(
                f"customer: one of them has {MOST_PER_CUSTOMER:,} events: no more are stored"
            )


def _many(connection: sa.Connection, customers: set[str], most: int) -> Sequence[Any]:
    """Returns the customers who have more than so many events, and their number of events."""
    number = sa.func.count()
    query = sa.select(events.c.customer, number).where(events.c.customer.in_(customers))
    return connection.execute(query.group_by(events.c.customer).having(number > most)).all()


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
    old = events.c.kind.in_(VISITS) & (events.c.at < before)
    with store.transaction() as connection:
        connection.execute(sa.delete(events).where(old))
