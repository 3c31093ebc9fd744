"""The tables of the store, in SQLite or PostgreSQL.

Customers are pseudonyms. Times are microseconds since 1970. In `products` and `forgotten`, `number` is the
number of the change that wrote the row.
"""

from typing import Literal

import sqlalchemy as sa

Kind = Literal["purchase", "view", "cart", "dismissed"]
PURCHASE = "purchase"
ORDERED = "ordered"  # kind of a purchase that belongs to a row of the table `orders`

metadata = sa.MetaData()
counter = sa.Table(
    "nightshelf_counter",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)
format_table = sa.Table(
    "nightshelf_format",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)
products = sa.Table(
    "nightshelf_products",
    metadata,
    sa.Column("product", sa.Text, primary_key=True),
    sa.Column("in_stock", sa.Boolean),
    sa.Column("price", sa.Float),
    sa.Column("hidden", sa.Boolean),
    sa.Column("number", sa.BigInteger, nullable=False, index=True),
)
forgotten = sa.Table(
    "nightshelf_forgotten",
    metadata,
    sa.Column("customer", sa.String(64), primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("in_lake", sa.Boolean, nullable=False),  # whether the lake may still hold the customer's rows
    sa.Column("number", sa.BigInteger, nullable=False, index=True),
)
events = sa.Table(
    "nightshelf_events",
    metadata,
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
    metadata,
    sa.Column("profile", sa.String(32), primary_key=True),
    sa.Column("order_id", sa.String(200), primary_key=True),
    sa.Column("customer", sa.String(64), index=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
    sa.Column("recorded_at", sa.BigInteger, nullable=False),
    sa.Column("lines", sa.Text, nullable=False),  # JSON: a list of product, quantity and price
)
