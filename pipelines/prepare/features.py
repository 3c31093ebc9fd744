"""Features: what customers bought on which day, what went together, and the catalogue."""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines import columns as c
from pipelines.extract.product_history import RAW_PRODUCTS, with_missing_columns


def interactions(orders: DataFrame) -> DataFrame:
    """One row per customer, product and day: units bought and returned, and the orders that bought.

    A return stays at its own day, so that a cut in time never lets a later return take away an
    earlier purchase; `split.Interactions.until` nets what lies before the cut.
    """
    units = F.col(c.QUANTITY)
    return (
        orders.where(F.col(c.CUSTOMER).isNotNull() & (units != 0))
        .groupBy(c.CUSTOMER, c.PRODUCT, F.to_date(c.ORDERED_AT).alias(c.DAY))
        .agg(
            F.sum(F.greatest(units, F.lit(0.0))).alias(c.QUANTITY),
            F.sum(F.greatest(-units, F.lit(0.0))).alias(c.RETURNED),
            F.sum((units > 0).cast("int")).cast("int").alias(c.ORDERS),
        )
    )


def baskets(orders: DataFrame) -> DataFrame:
    """One row per order: its day, its customer (null for a guest) and its distinct products."""
    return (
        orders.where(F.col(c.QUANTITY) > 0)
        .groupBy(c.ORDER_ID)
        .agg(
            F.to_date(F.min(c.ORDERED_AT)).alias(c.DAY),
            F.min(c.CUSTOMER).alias(c.CUSTOMER),
            F.collect_set(c.PRODUCT).alias(c.PRODUCTS),
        )
    )


def groups(orders: DataFrame) -> DataFrame:
    """The group of each customer, as the latest order that names one has it; the others aren't in it."""
    named = orders.where(F.col(c.CUSTOMER).isNotNull() & F.col(c.GROUP).isNotNull())
    # Few rows per customer are left before texts are aggregated, which Spark does by sorting.
    last = named.groupBy(c.CUSTOMER, c.GROUP).agg(F.max(c.ORDERED_AT).alias(c.ORDERED_AT))
    latest = F.max_by(c.GROUP, F.struct(c.ORDERED_AT, c.GROUP)).alias(c.GROUP)
    return last.groupBy(c.CUSTOMER).agg(latest)


def products(catalogue: pa.Table, sold: list[str]) -> pa.Table:
    """The catalogue, each product once, and a placeholder for each that was sold but isn't in it.

    A placeholder is marked as such, has its id for a name, no category and no price, and counts as out
    of stock.
    """
    known = with_missing_columns(catalogue.filter(pc.is_valid(catalogue[c.PRODUCT])), RAW_PRODUCTS)
    once = known.group_by(c.PRODUCT, use_threads=False).aggregate(
        [(name, "first") for name in known.column_names if name != c.PRODUCT]
    )
    once = once.rename_columns([name.removesuffix("_first") for name in once.column_names])
    missing = sorted(set(sold) - set(once[c.PRODUCT].to_pylist()))
    placeholders = [{c.PRODUCT: product, c.NAME: product, c.IN_STOCK: False} for product in missing]
    both = [once.select(RAW_PRODUCTS.names), pa.Table.from_pylist(placeholders, schema=RAW_PRODUCTS)]
    marked = pa.concat_tables(both).append_column(
        c.PLACEHOLDER, pa.array([False] * once.num_rows + [True] * len(missing))
    )
    return marked.sort_by(c.PRODUCT)
