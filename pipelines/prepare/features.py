"""The tables `interactions`, `baskets`, `groups` and `products`, computed from order lines."""

import datetime as dt

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis import Table, Value

from pipelines import columns as c
from pipelines.extract.product_history import RAW_PRODUCTS, with_missing_columns
from pipelines.lake import functions
from pipelines.lake.days import day_of

HIGHEST_PRICE = 1e12  # beyond it, a price is a mistake in every currency


def interactions(orders: Table, as_of: dt.date) -> Table:
    """Returns one row per customer, product and day: units bought and returned, and orders with a purchase.

    as_of: the night's day; orders of its evening that are of the next day by NIGHTSHELF_TIMEZONE count to it.
    A return keeps its own day, so that a return after a cut does not remove a purchase before it;
    `Interactions.until` nets the returns before a cut.
    """
    kept = orders.filter(orders[c.CUSTOMER].notnull() & (orders[c.QUANTITY] != 0))
    units, day = kept[c.QUANTITY], _day(kept[c.ORDERED_AT], as_of)
    return kept.group_by(kept[c.CUSTOMER], kept[c.PRODUCT], **{c.DAY: day}).agg(
        {
            c.QUANTITY: ibis.greatest(units, 0.0).sum(),
            c.RETURNED: ibis.greatest(-units, 0.0).sum(),
            c.ORDERS: functions.count_if(units > 0).cast("int32"),
        }
    )


def baskets(orders: Table, as_of: dt.date) -> Table:
    """Returns one row per order: its day, its customer (null for a guest) and its distinct products.

    as_of: as for `interactions`.
    """
    sold = orders.filter(orders[c.QUANTITY] > 0)
    return sold.group_by(c.ORDER_ID).agg(
        {
            c.DAY: _day(sold[c.ORDERED_AT].min(), as_of),
            c.CUSTOMER: sold[c.CUSTOMER].min(),
            c.PRODUCTS: sold[c.PRODUCT].collect(distinct=True),
        }
    )


def _day(time: Value, as_of: dt.date) -> Value:
    return ibis.least(day_of(time), ibis.literal(as_of))


def groups(orders: Table) -> Table:
    """Returns each customer's region, from the latest order with a region; others are left out."""
    known = orders.filter(orders[c.CUSTOMER].notnull() & orders[c.GROUP].notnull())
    # Spark aggregates strings by sorting: this first step leaves few rows per customer.
    latest = known.group_by(c.CUSTOMER, c.GROUP).agg({c.ORDERED_AT: known[c.ORDERED_AT].max()})
    order = ibis.struct({name: latest[name] for name in (c.ORDERED_AT, c.GROUP)})
    return latest.group_by(c.CUSTOMER).agg({c.GROUP: latest[c.GROUP].argmax(order)})


def products(catalogue: pa.Table, sold: list[str]) -> pa.Table:
    """Returns the catalogue, each product once, with placeholders for sold products that it lacks.

    A placeholder has its id as name, no category and no price, and is out of stock. A price below 0 or above
    HIGHEST_PRICE counts as unknown.
    """
    known = with_missing_columns(catalogue.filter(pc.is_valid(catalogue[c.PRODUCT])), RAW_PRODUCTS)
    price = known[c.PRICE]
    is_usable = pc.and_(pc.greater_equal(price, 0), pc.less_equal(price, HIGHEST_PRICE))
    index = known.schema.get_field_index(c.PRICE)
    known = known.set_column(index, c.PRICE, pc.if_else(is_usable, price, None))
    unique = known.group_by(c.PRODUCT, use_threads=False).aggregate(
        [(name, "first") for name in known.column_names if name != c.PRODUCT]
    )
    unique = unique.rename_columns([name.removesuffix("_first") for name in unique.column_names])
    missing = sorted(set(sold) - set(unique[c.PRODUCT].to_pylist()))
    placeholders = [{c.PRODUCT: product, c.NAME: product, c.IN_STOCK: False} for product in missing]
    parts = [unique.select(RAW_PRODUCTS.names), pa.Table.from_pylist(placeholders, schema=RAW_PRODUCTS)]
    marked = pa.concat_tables(parts).append_column(
        c.PLACEHOLDER, pa.array([False] * unique.num_rows + [True] * len(missing))
    )
    return marked.sort_by(c.PRODUCT)
