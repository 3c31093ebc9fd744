"""How many more events and orders the store may hold."""

from time import monotonic

import sqlalchemy as sa

from serving.errors import NightshelfError
from serving.live.tables import events, orders

UNKNOWN_PER_SECOND = 10  # events of products that the model doesn't know, in each worker
COUNT_EVERY = 10_000  # rows that a process adds, after which it counts all of them again


class StoreFullError(NightshelfError):
    """The store has as many events and orders as it may have."""


class Room:
    """How many more rows the store may hold; counted now and then, since counting takes time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._left = 0
        self._unknown_due = 0.0

    def take_unknown(self, number: int) -> bool:
        """Makes use of room for events of unknown products, if there is any; returns whether there was."""
        now = monotonic()
        if self._unknown_due > now:
            return False
        self._unknown_due = now + number / UNKNOWN_PER_SECOND
        return True

    def take(self, connection: sa.Connection, number: int) -> None:
        """Makes use of room for some events and orders; raises StoreFullError."""
        if self._left < number:
            stored = sum(_count(connection, table) for table in (events, orders))
            self._left = min(self.most - stored, COUNT_EVERY)
        if self._left < number:
            raise StoreFullError(
                f"the store holds {self.most:,} events and orders: run a nightly run, which deletes old ones,"
                " or raise NIGHTSHELF_EVENT_LIMIT"
            )
        self._left -= number


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
