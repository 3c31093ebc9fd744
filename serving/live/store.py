"""Products' changes, customers' events and who is forgotten: in SQLite, or in PostgreSQL by URL.

A customer is a pseudonym here. What a call has written is on disk before it returns. Changes and forgettings
carry numbers that only grow, so that every worker learns by one small query whether there are new ones.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from serving.errors import NightshelfError, StoreError

Kind = Literal["purchase", "view", "cart", "dismissed"]

MICROSECONDS = 1_000_000
DAY = 86_400 * MICROSECONDS
LATEST = 500  # events of a customer that an answer looks at
PATIENCE = 5  # seconds that a write waits for others
FORMAT = 1  # of the tables; a store that doesn't say it has it, too
LOCK = 7_061_952  # any number that nothing else in the database locks

tables = sa.MetaData()
counter = sa.Table(
    "nightshelf_counter",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)
schema = sa.Table(
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
    sa.Column("at", sa.BigInteger, nullable=False),  # microseconds since 1970, as all times here
    sa.Column("in_lake", sa.Boolean, nullable=False),  # whether the lake may still hold something
    sa.Column("number", sa.BigInteger, nullable=False, index=True),
)
events = sa.Table(
    "nightshelf_events",
    tables,
    # An alias of SQLite's own row number only where it is a plain INTEGER.
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("id", sa.String(64), unique=True),  # the hash of what the shop calls the event
    sa.Column("customer", sa.String(64), nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False, index=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("recorded_at", sa.BigInteger, nullable=False),
    sa.Column("price", sa.Float),
    sa.Index("nightshelf_events_of_customer", "customer", "at"),
)

OF_CUSTOMER = (
    sa.select(events.c.product, events.c.kind, events.c.at)
    .where(events.c.customer == sa.bindparam("customer"))
    .order_by(events.c.at.desc())
    .limit(LATEST)
)


@dataclass(frozen=True)
class Event:
    """What a customer did with a product, and what the product cost then."""

    customer: str  # pseudonym
    product: str
    kind: Kind
    at: int  # microseconds since 1970
    id: str | None = None
    price: float | None = None


@dataclass(frozen=True)
class News:
    """What was changed after a number: products by their id, the times of forgetting by pseudonym."""

    number: int
    products: dict[str, dict[str, Any]]
    forgotten: dict[str, int]


class Store:
    """The one database of changes and events; any number of processes may share it.

    Every method raises StoreError where the database gives no answer.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        # A single statement is a transaction by itself, without the round trips of BEGIN and COMMIT: to
        # switch a connection to that and back for each takes longer than the statement.
        self.reading = _engine(url, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True)
        self.insert = sqlite.insert if self.engine.dialect.name == "sqlite" else postgresql.insert

    def prepare(self) -> None:
        """Makes the tables that aren't there yet; raises StoreError where they are a later release's."""
        if self.engine.dialect.name == "sqlite":
            Path(str(self.engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
        with self._writing() as connection:
            for table in self._missing(connection):
                connection.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    connection.execute(CreateIndex(index, if_not_exists=True))
            for table, number in ((counter, 0), (schema, FORMAT)):
                connection.execute(self.insert(table).values(id=1, number=number).on_conflict_do_nothing())
            found = connection.execute(sa.select(schema.c.number)).scalar_one()
        if found > FORMAT:
            raise StoreError(
                f"the store of changes and events has format {found} of a later release, and this one knows"
                f" {FORMAT}: run that release, or restore a backup that this one made"
            )

    def close(self) -> None:
        """Ends the connections; another call opens new ones."""
        self.engine.dispose()
        self.reading.dispose()

    def change(self, product: str, values: dict[str, Any]) -> None:
        """Changes what is known of a product; what values don't name stays, None is what the bundle says."""
        with self._writing() as connection:
            row = {"product": product, "number": _next(connection)} | values
            new = {name: value for name, value in row.items() if name != "product"}
            connection.execute(
                self.insert(products).values(row).on_conflict_do_update(index_elements=["product"], set_=new)
            )

    def add(self, new: Sequence[Event]) -> None:
        """Keeps events; one whose id is known already is the same, one from before a forgetting none."""
        now = microseconds()
        with self._writing() as connection:
            asked = forgotten.c.customer.in_({event.customer for event in new})
            gone = dict(
                connection.execute(sa.select(forgotten.c.customer, forgotten.c.at).where(asked)).all()
            )
            rows = [
                vars(event) | {"recorded_at": now} for event in new if event.at > gone.get(event.customer, 0)
            ]
            if rows:
                connection.execute(self.insert(events).on_conflict_do_nothing(index_elements=["id"]), rows)

    def of_customer(self, customer: str) -> Sequence[Any]:
        """The latest events of a customer: product, kind and time, the newest first."""
        with self._connected(self.reading) as connection:
            return connection.execute(OF_CUSTOMER, {"customer": customer}).all()

    def customers(self) -> set[str]:
        """All customers with events."""
        with self._connected(self.reading) as connection:
            return set(connection.execute(sa.select(events.c.customer).distinct()).scalars())

    def forget(self, customer: str) -> int:
        """How many events of a customer went; from now on all that was known of the customer is forgotten."""
        with self._writing() as connection:
            row = {"at": microseconds(), "in_lake": True, "number": _next(connection)}
            connection.execute(
                self.insert(forgotten)
                .values(row | {"customer": customer})
                .on_conflict_do_update(index_elements=["customer"], set_=row)
            )
            gone = connection.execute(sa.delete(events).where(events.c.customer == customer))
            return int(gone.rowcount)

    def news(self, since: int) -> News | None:
        """What was changed after a number, None where nothing was."""
        with self._connected(self.reading) as connection:
            number = connection.execute(sa.select(counter.c.number)).scalar() or 0
            if number <= since:
                return None
            changed = connection.execute(sa.select(products).where(products.c.number > since)).mappings()
            gone = connection.execute(
                sa.select(forgotten.c.customer, forgotten.c.at).where(forgotten.c.number > since)
            )
            return News(
                number,
                {row["product"]: dict(row) for row in changed},
                {row.customer: row.at for row in gone},
            )

    def pending(self) -> dict[str, int]:
        """The times of forgetting of those whom the lake may still hold, by pseudonym."""
        asked = sa.select(forgotten.c.customer, forgotten.c.at).where(forgotten.c.in_lake)
        with self._connected(self.reading) as connection:
            return {row.customer: row.at for row in connection.execute(asked)}

    def scrubbed(self, gone: dict[str, int]) -> None:
        """Notes that the lake holds nothing more of some, unless they were forgotten again since."""
        with self._writing() as connection:
            for customer, at in gone.items():
                same = (forgotten.c.customer == customer) & (forgotten.c.at == at)
                connection.execute(sa.update(forgotten).where(same).values(in_lake=False))

    def remind(self, gone: dict[str, int]) -> None:
        """Lets all forgotten, and some more as of their times, be looked for in the lake once more."""
        with self._writing() as connection:
            number = _next(connection)
            for customer, at in gone.items():
                row = {"at": at, "in_lake": True, "number": number}
                connection.execute(
                    self.insert(forgotten)
                    .values(row | {"customer": customer})
                    .on_conflict_do_update(index_elements=["customer"], set_=row, where=forgotten.c.at < at)
                )
                old = (events.c.customer == customer) & (events.c.at <= at)
                connection.execute(sa.delete(events).where(old))
            connection.execute(sa.update(forgotten).values(in_lake=True))

    def purchases(self) -> Sequence[Any]:
        """All purchases in the order in which they were told."""
        asked = sa.select(events).where(events.c.kind == "purchase").order_by(events.c.number)
        with self._connected(self.reading) as connection:
            return connection.execute(asked).all()

    def prune(self, before: int) -> None:
        """Lets go of what was viewed or in a cart before a time."""
        old = events.c.kind.in_(("view", "cart")) & (events.c.at < before)
        with self._writing() as connection:
            connection.execute(sa.delete(events).where(old))

    def count(self, customer: str) -> int:
        """How many events of a customer there are."""
        asked = sa.select(sa.func.count()).where(events.c.customer == customer)
        with self._connected(self.reading) as connection:
            return int(connection.execute(asked).scalar_one())

    def _missing(self, connection: sa.Connection) -> list[sa.Table]:
        """The tables to make; in PostgreSQL those that aren't there, and no other worker makes meanwhile.

        PostgreSQL refuses what another makes at the same moment, and to make an index that is there locks
        its table, for which writers wait who hold what is waited for.
        """
        if self.engine.dialect.name == "sqlite":
            return tables.sorted_tables
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        there = sa.inspect(connection).get_table_names()
        return [table for table in tables.sorted_tables if table.name not in there]

    def _writing(self) -> Any:
        return self._connected(self.engine, begin=True)

    @contextlib.contextmanager
    def _connected(self, engine: sa.Engine, begin: bool = False) -> Iterator[sa.Connection]:
        try:
            with engine.begin() if begin else engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            # What the driver says may quote a row, or the address and a password in it.
            kind = type(getattr(error, "orig", None) or error).__name__
            raise StoreError(
                f"the store of changes and events gives no answer ({kind}): check NIGHTSHELF_STORE_URL"
            ) from None


def microseconds() -> int:
    """The present moment, since 1970."""
    return time.time_ns() // 1000


def _next(connection: sa.Connection) -> int:
    """The number of the change that the transaction makes; others wait, so that numbers commit in order."""
    connection.execute(sa.update(counter).values(number=counter.c.number + 1))
    return int(connection.execute(sa.select(counter.c.number)).scalar_one())


def _engine(url: str, **options: Any) -> sa.Engine:
    try:
        place = sa.make_url(url)
        if place.get_backend_name() == "sqlite":
            return _sqlite(place, options)
        if place.get_backend_name() != "postgresql":
            raise ValueError
        patience = {
            "connect_timeout": PATIENCE,
            "options": f"-c statement_timeout={PATIENCE * 1000}",
        }
        return sa.create_engine(place, connect_args=patience, **options)
    except (ArgumentError, ImportError, ValueError, TypeError):
        # What SQLAlchemy says may quote the URL, and with it the password.
        raise NightshelfError(
            "NIGHTSHELF_STORE_URL can't be used: write it as postgresql+psycopg://user:password@host/nightshelf,"
            " an @ in a password as %40, or leave it empty for a file in HOME/.nightshelf"
        ) from None


def _sqlite(place: sa.URL, options: dict[str, Any]) -> sa.Engine:
    if not place.database:
        raise ValueError
    engine = sa.create_engine(place, connect_args={"timeout": PATIENCE}, **options)

    @sa.event.listens_for(engine, "connect")
    def _durable(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")  # readers don't wait for a writer
        connection.execute("PRAGMA synchronous = FULL")  # a commit is on disk when it returns

    return engine
