"""The store of product changes, customers' events and forgotten customers, in SQLite or PostgreSQL.

Customers are pseudonyms. A write is on disk before the call returns. Every change has a number, and numbers
only grow, so one small query tells a worker whether there are new changes. Times are microseconds since 1970.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from serving.errors import NightshelfError, StoreError

Kind = Literal["purchase", "view", "cart", "dismissed"]
PURCHASE = "purchase"
ORDERED = "ordered"  # kind of a purchase that belongs to a row of the table `orders`

MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_DAY = 86_400 * MICROSECONDS_PER_SECOND
EVENTS_PER_ANSWER = 500  # latest events of a customer that an answer uses
TIMEOUT_SECONDS = 5  # for a connection, a statement, or SQLite's write lock
FORMAT = 1  # of the tables; a store without a format number has this format
LOCK_ID = 7_061_952  # PostgreSQL advisory lock; any number that nothing else in the database uses

tables = sa.MetaData()
counter = sa.Table(
    "nightshelf_counter",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)
format_table = sa.Table(
    "nightshelf_format",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)
products = sa.Table(
    "nightshelf_products",
    tables,
    sa.Column("product", sa.Text, primary_key=True),
    sa.Column("in_stock", sa.Boolean),
    sa.Column("price", sa.Float),
    sa.Column("hidden", sa.Boolean),
    sa.Column("number", sa.BigInteger, nullable=False, index=True),
)
forgotten = sa.Table(
    "nightshelf_forgotten",
    tables,
    sa.Column("customer", sa.String(64), primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("in_lake", sa.Boolean, nullable=False),  # whether the lake may still hold the customer's rows
    sa.Column("number", sa.BigInteger, nullable=False, index=True),
)
events = sa.Table(
    "nightshelf_events",
    tables,
    # SQLite generates the numbers only if the type is a plain INTEGER.
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("id", sa.String(64), unique=True),  # keyed hash of the shop's id of the event
    sa.Column("customer", sa.String(64), nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False, index=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("recorded_at", sa.BigInteger, nullable=False),
    sa.Column("price", sa.Float),
    sa.Index("nightshelf_events_of_customer", "customer", "at"),
)

orders = sa.Table(
    "nightshelf_orders",
    tables,
    sa.Column("profile", sa.String(32), primary_key=True),
    sa.Column("order_id", sa.String(200), primary_key=True),
    sa.Column("customer", sa.String(64), index=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
    sa.Column("recorded_at", sa.BigInteger, nullable=False),
    sa.Column("lines", sa.Text, nullable=False),  # JSON: a list of product, quantity and price
)

CUSTOMER_EVENTS = (
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


@dataclass(frozen=True)
class ChangeSet:
    """All changes up to a number, or those between two numbers."""

    number: int = 0  # of the latest change
    products: dict[str, dict[str, Any]] = field(default_factory=dict)  # rows of the table, by product id
    forgotten: dict[str, int] = field(default_factory=dict)  # times, by pseudonym

    def merged(self, later: "ChangeSet") -> "ChangeSet":
        """Returns these changes and later ones."""
        return ChangeSet(later.number, self.products | later.products, self.forgotten | later.forgotten)


class Store:
    """The database of changes and events, which any number of processes may share.

    Every method raises StoreError if the database doesn't answer.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        # With autocommit a single statement needs no round trips for BEGIN and COMMIT. It is a second engine
        # because switching a connection's isolation level for each statement takes longer than the statement.
        self.reader = _engine(url, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True)
        self.insert = sqlite.insert if self.engine.dialect.name == "sqlite" else postgresql.insert

    def prepare(self) -> None:
        """Creates missing tables; raises StoreError if a later release created them."""
        if self.engine.dialect.name == "sqlite":
            Path(str(self.engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
        with self._writing() as connection:
            for table in self._missing_tables(connection):
                connection.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    connection.execute(CreateIndex(index, if_not_exists=True))
            for table, number in ((counter, 0), (format_table, FORMAT)):
                connection.execute(self.insert(table).values(id=1, number=number).on_conflict_do_nothing())
            format_number = connection.execute(sa.select(format_table.c.number)).scalar_one()
        if format_number > FORMAT:
            raise StoreError(
                f"the store of changes and events has format {format_number} of a later release; this release"
                f" reads format {FORMAT}: run the later release, or restore a backup made by this one"
            )

    def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        self.engine.dispose()
        self.reader.dispose()

    def update_product(self, product: str, values: dict[str, Any]) -> None:
        """Changes some values of a product; None stands for the bundle's own value."""
        with self._writing() as connection:
            row = {"product": product, "number": _next_number(connection)} | values
            new = {name: value for name, value in row.items() if name != "product"}
            connection.execute(
                self.insert(products).values(row).on_conflict_do_update(index_elements=["product"], set_=new)
            )

    def add_events(self, new: Sequence[Event]) -> None:
        """Adds events, except those whose id is stored and those from before a customer was forgotten."""
        now = now_microseconds()
        with self._writing() as connection:
            involved = forgotten.c.customer.in_({event.customer for event in new})
            query = sa.select(forgotten.c.customer, forgotten.c.at).where(involved)
            forgotten_at = dict(connection.execute(query).all())
            rows = [
                vars(event) | {"recorded_at": now}
                for event in new
                if event.at > forgotten_at.get(event.customer, 0)
            ]
            if rows:
                connection.execute(self.insert(events).on_conflict_do_nothing(index_elements=["id"]), rows)

    def customer_events(self, customer: str) -> Sequence[Any]:
        """Returns a customer's latest EVENTS_PER_ANSWER events, newest first: product, kind and time."""
        with self._connected(self.reader) as connection:
            return connection.execute(CUSTOMER_EVENTS, {"customer": customer}).all()

    def customers(self) -> set[str]:
        """Returns all customers with events."""
        with self._connected(self.reader) as connection:
            return set(connection.execute(sa.select(events.c.customer).distinct()).scalars())

    def forget(self, customer: str) -> int:
        """Marks a customer as forgotten now, deletes the customer's events and returns their number."""
        with self._writing() as connection:
            row = {"at": now_microseconds(), "in_lake": True, "number": _next_number(connection)}
            connection.execute(
                self.insert(forgotten)
                .values(row | {"customer": customer})
                .on_conflict_do_update(index_elements=["customer"], set_=row)
            )
            connection.execute(sa.delete(orders).where(orders.c.customer == customer))
            deleted = connection.execute(sa.delete(events).where(events.c.customer == customer))
            return int(deleted.rowcount)

    def changes_since(self, number: int) -> ChangeSet | None:
        """Returns the changes after a number, None if there are none."""
        with self._connected(self.reader) as connection:
            latest = connection.execute(sa.select(counter.c.number)).scalar() or 0
            if latest <= number:
                return None
            changed = connection.execute(sa.select(products).where(products.c.number > number)).mappings()
            newly_forgotten = connection.execute(
                sa.select(forgotten.c.customer, forgotten.c.at).where(forgotten.c.number > number)
            )
            return ChangeSet(
                latest,
                {row["product"]: dict(row) for row in changed},
                {row.customer: row.at for row in newly_forgotten},
            )

    def pending_erasures(self) -> dict[str, int]:
        """Returns the forgotten customers whose rows the lake may still hold: times by pseudonym."""
        query = sa.select(forgotten.c.customer, forgotten.c.at).where(forgotten.c.in_lake)
        with self._connected(self.reader) as connection:
            return {row.customer: row.at for row in connection.execute(query)}

    def mark_erased(self, erased: dict[str, int]) -> None:
        """Marks customers as erased from the lake, except those who were forgotten again since.

        erased: times by pseudonym, as `pending_erasures` returned them.
        """
        with self._writing() as connection:
            for customer, at in erased.items():
                unchanged = (forgotten.c.customer == customer) & (forgotten.c.at == at)
                connection.execute(sa.update(forgotten).where(unchanged).values(in_lake=False))

    def erasures(self) -> dict[str, int]:
        """Returns all customers who were ever forgotten: times by pseudonym."""
        with self._connected(self.reader) as connection:
            rows = connection.execute(sa.select(forgotten.c.customer, forgotten.c.at))
            return {row.customer: row.at for row in rows}

    def add_erasures(self, times: dict[str, int]) -> None:
        """Adds erasures with their times, by pseudonym; a later time in the store is kept.

        Events up to the given time are deleted.
        """
        if not times:
            return
        with self._writing() as connection:
            self._add_erasures(connection, times)

    def reopen_erasures(self, times: dict[str, int]) -> None:
        """Adds erasures and makes all erasures pending again, as a restore requires."""
        with self._writing() as connection:
            self._add_erasures(connection, times)
            connection.execute(sa.update(forgotten).values(in_lake=True))

    def _add_erasures(self, connection: sa.Connection, times: dict[str, int]) -> None:
        number = _next_number(connection)
        for customer, at in times.items():
            row = {"at": at, "in_lake": True, "number": number}
            connection.execute(
                self.insert(forgotten)
                .values(row | {"customer": customer})
                .on_conflict_do_update(index_elements=["customer"], set_=row, where=forgotten.c.at < at)
            )
            for table in (events, orders):
                old = (table.c.customer == customer) & (table.c.at <= at)
                connection.execute(sa.delete(table).where(old))

    def move_events(self, customers: dict[str, str | None]) -> int:
        """Gives events and orders to other pseudonyms, or deletes them; returns their number.

        customers: the new pseudonym by the old one; None deletes.
        """
        moved = 0
        with self._writing() as connection:
            for table in (events, orders):
                for old, new in customers.items():
                    own = table.c.customer == old
                    change = sa.update(table).values(customer=new) if new else sa.delete(table)
                    moved += int(connection.execute(change.where(own)).rowcount)
        return moved

    def purchases(self) -> Sequence[Any]:
        """Returns all purchases in the order in which they were recorded."""
        query = sa.select(events).where(events.c.kind == "purchase").order_by(events.c.number)
        with self._connected(self.reader) as connection:
            return connection.execute(query).all()

    def prune(self, before: int) -> None:
        """Deletes views and cart events from before a time."""
        old = events.c.kind.in_(("view", "cart")) & (events.c.at < before)
        with self._writing() as connection:
            connection.execute(sa.delete(events).where(old))

    def count_events(self, customer: str) -> int:
        """Returns the number of a customer's events and orders."""
        queries = [sa.select(sa.func.count()).where(kept.c.customer == customer) for kept in (events, orders)]
        with self._connected(self.reader) as connection:
            return sum(int(connection.execute(query).scalar_one()) for query in queries)

    def transaction(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Opens a connection whose changes are committed together at the end of the block."""
        return self._connected(self.engine, begin=True)

    def reading(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Opens a connection that reads."""
        return self._connected(self.engine)

    def lock(self, connection: sa.Connection) -> None:
        """Lets other writers wait until the connection's transaction has ended."""
        _next_number(connection)

    def _missing_tables(self, connection: sa.Connection) -> list[sa.Table]:
        """Returns the tables to create; in PostgreSQL, other workers wait until this transaction has ended.

        In PostgreSQL a table that two workers create at once is an error, and "create index if not exists"
        locks a table even if the index exists, which can deadlock with writers: so existing tables are left.
        """
        if self.engine.dialect.name == "sqlite":
            return tables.sorted_tables
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_ID)))
        existing = sa.inspect(connection).get_table_names()
        return [table for table in tables.sorted_tables if table.name not in existing]

    def _writing(self) -> Any:
        return self._connected(self.engine, begin=True)

    @contextlib.contextmanager
    def _connected(self, engine: sa.Engine, begin: bool = False) -> Iterator[sa.Connection]:
        try:
            with engine.begin() if begin else engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            # The driver's own message may quote a row, or the address and a password in it.
            kind = type(getattr(error, "orig", None) or error).__name__
            raise StoreError(
                f"the store of changes and events doesn't answer ({kind}): check NIGHTSHELF_STORE_URL"
            ) from None


def now_microseconds() -> int:
    """Returns the present time in microseconds since 1970."""
    return time.time_ns() // 1000


def _next_number(connection: sa.Connection) -> int:
    """Returns the number of this transaction's change; other writers wait, so numbers commit in order."""
    connection.execute(sa.update(counter).values(number=counter.c.number + 1))
    return int(connection.execute(sa.select(counter.c.number)).scalar_one())


def _engine(url: str, **options: Any) -> sa.Engine:
    try:
        address = sa.make_url(url)
        if address.get_backend_name() == "sqlite":
            return _sqlite(address, options)
        if address.get_backend_name() != "postgresql":
            raise ValueError
        timeouts = {
            "connect_timeout": TIMEOUT_SECONDS,
            "options": f"-c statement_timeout={TIMEOUT_SECONDS * 1000}",
        }
        return sa.create_engine(address, connect_args=timeouts, **options)
    except (ArgumentError, ImportError, ValueError, TypeError):
        # SQLAlchemy's own message may quote the URL, and with it the password.
        raise NightshelfError(
            "NIGHTSHELF_STORE_URL can't be used: write it as postgresql+psycopg://user:password@host/nightshelf,"
            " an @ in a password as %40, or leave it empty for a file in HOME/.nightshelf"
        ) from None


def _sqlite(address: sa.URL, options: dict[str, Any]) -> sa.Engine:
    if not address.database:
        raise ValueError
    engine = sa.create_engine(address, connect_args={"timeout": TIMEOUT_SECONDS}, **options)

    @sa.event.listens_for(engine, "connect")
    def _set_pragmas(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")  # readers don't wait for a writer
        connection.execute("PRAGMA synchronous = FULL")  # a commit is on disk when it returns

    return engine
