"""Forgotten customers in the store, each with the time of forgetting."""

import sqlalchemy as sa

from serving.live.store import Store, next_number, now_microseconds
from serving.live.tables import events, forgotten, orders


def forget(store: Store, customer: str) -> int:
    """Marks a customer as forgotten now, deletes the customer's events and returns their number."""
    with store.transaction() as connection:
        row = {"at": now_microseconds(), "in_lake": True, "number": next_number(connection)}
        connection.execute(
            store.insert(forgotten)
            .values(row | {"customer": customer})
            .on_conflict_do_update(index_elements=["customer"], set_=row)
        )
        connection.execute(sa.delete(orders).where(orders.c.customer == customer))
        deleted = connection.execute(sa.delete(events).where(events.c.customer == customer))
        return int(deleted.rowcount)


def times(store: Store) -> dict[str, int]:
    """Returns the times of all erasures, by pseudonym."""
    return _times(store, sa.select(forgotten.c.customer, forgotten.c.at))


def pending(store: Store) -> dict[str, int]:
    """Returns the times of the erasures of which the lake may still hold rows, by pseudonym."""
    return _times(store, sa.select(forgotten.c.customer, forgotten.c.at).where(forgotten.c.in_lake))


def mark_done(store: Store, done: dict[str, int]) -> None:
    """Marks customers as erased from the lake, except those who were forgotten again since.

    done: times by pseudonym, as `pending` returned them.
    """
    with store.transaction() as connection:
        for customer, at in done.items():
            unchanged = (forgotten.c.customer == customer) & (forgotten.c.at == at)
            connection.execute(sa.update(forgotten).where(unchanged).values(in_lake=False))


def add(store: Store, new: dict[str, int]) -> None:
    """Adds erasures with their times, by pseudonym; a later time in the store is kept.

    Events up to the given time are deleted.
    """
    if not new:
        return
    with store.transaction() as connection:
        _add(store, connection, new)


def reopen(store: Store, new: dict[str, int]) -> None:
    """Adds erasures as `add` does, and makes all erasures pending again, as a restore requires."""
    with store.transaction() as connection:
        _add(store, connection, new)
        connection.execute(sa.update(forgotten).values(in_lake=True))


def _times(store: Store, query: "sa.Select[tuple[str, int]]") -> dict[str, int]:
    with store.reading() as connection:
        return {row.customer: row.at for row in connection.execute(query)}


def _add(store: Store, connection: sa.Connection, new: dict[str, int]) -> None:
    number = next_number(connection)
    for customer, at in new.items():
        row = {"at": at, "in_lake": True, "number": number}
        connection.execute(
            store.insert(forgotten)
            .values(row | {"customer": customer})
            .on_conflict_do_update(index_elements=["customer"], set_=row, where=forgotten.c.at < at)
        )
        for table in (events, orders):
            old = (table.c.customer == customer) & (table.c.at <= at)
            connection.execute(sa.delete(table).where(old))
