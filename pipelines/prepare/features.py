"""The tables `interactions`, `baskets`, `groups` and `products`, computed from order lines."""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines import columns as c
from pipelines.extract.product_history import RAW_PRODUCTS, with_missing_columns
from pipelines.lake.days import day_of


def interactions(orders: DataFrame) -> DataFrame:
    """Returns one row per customer, product and day: units bought and returned, and orders with a purchase.

    A return keeps its own day, so that a return after a cut does not remove a purchase before it;
    `Interactions.until` nets the returns before a cut.
    """
    units = F.col(c.QUANTITY)
    return (
        orders.where(F.col(c.CUSTOMER).isNotNull() & (units != 0))
        .groupBy(c.CUSTOMER, c.PRODUCT, day_of(c.ORDERED_AT).alias(c.DAY))
        .agg(
            F.sum(F.greatest(units, F.lit(0.0))).alias(c.QUANTITY),
            F.sum(F.greatest(-units, F.lit(0.0))).alias(c.RETURNED),
            F.sum((units > 0).cast("int")).cast("int").alias(c.ORDERS),
        )
    )


def baskets(orders: DataFrame) -> DataFrame:
    """Returns one row per order: its day, its customer (null for a guest) and its distinct products."""
    return (
        orders.where(F.col(c.QUANTITY) > 0)
        .groupBy(c.ORDER_ID)
        .agg(
            day_of(F.min(c.ORDERED_AT)).alias(c.DAY),
            F.min(c.CUSTOMER).alias(c.CUSTOMER),
            F.collect_set(c.PRODUCT).alias(c.PRODUCTS),
        )
    )


def groups(orders: DataFrame) -> DataFrame:
    """Returns each customer's region, from the latest order with a region; others are left out."""
    with_region = orders.where(F.col(c.CUSTOMER).isNotNull() & F.col(c.GROUP).isNotNull())
    # Spark aggregates strings by sorting: this first step leaves few rows per customer.
    by_region = with_region.groupBy(c.CUSTOMER, c.GROUP).agg(F.max(c.ORDERED_AT).alias(c.ORDERED_AT))
    latest = F.max_by(c.GROUP, F.struct(c.ORDERED_AT, c.GROUP)).alias(c.GROUP)
    return by_region.groupBy(c.CUSTOMER).agg(latest)


def products(catalogue: pa.Table, sold: list[str]) -> pa.Table:
    """Returns the catalogue, each product once, with placeholders for sold products that it lacks.

    A placeholder has its id as name, no category and no price, and is out of stock.
    """
    known = with_missing_columns(catalogue.filter(pc.is_valid(catalogue[c.PRODUCT])), RAW_PRODUCTS)
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
