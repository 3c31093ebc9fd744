"""The tables made from checked lines; they hold pseudonyms instead of the shop's own customer ids."""

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import StringType

from pipelines import columns as c
from pipelines.extract.events import SOURCE_NAME as EVENTS
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.validate.row_checks import FATE, GOOD, PAID, TIME, TYPICAL, UNITS, USED, is_quarantined
from pipelines.validate.versions import SHARED_ID
from serving.live.identity import Pseudonymiser

TYPES = {
    c.ORDER_ID: "string",
    c.ORDERED_AT: "timestamp",
    c.CUSTOMER: "string",
    c.PRODUCT: "string",
    c.QUANTITY: "double",
    c.UNIT_PRICE: "double",
    c.GROUP: "string",
}  # of the table `orders`
CUSTOMER_HASH = "_customer_hash"  # of a customer's id and group


def schema_differences(orders: DataFrame) -> list[str]:
    """Returns the columns in which a table differs from `orders`: missing, unknown or of another type."""
    return sorted({name for name, _ in set(orders.dtypes) ^ set(TYPES.items())})


def quarantine(checked: DataFrame, run: str, identify: Pseudonymiser) -> DataFrame:
    """Returns the lines that fail a row check, with the check's name, the run and the pseudonym.

    All else is as received. The shop's own customer id is only in raw/, in the row of this order and line.
    """
    failed = checked.where(is_quarantined(F.col(FATE))).drop(TIME, UNITS, PAID, TYPICAL, SHARED_ID)
    pseudonymous = failed.withColumn(c.CUSTOMER, pseudonyms(c.CUSTOMER, identify))
    return pseudonymous.withColumnRenamed(FATE, c.RULE).withColumn(c.RUN, F.lit(run))


def orders(checked: DataFrame, identify: Pseudonymiser) -> DataFrame:
    """Returns the table `orders`: one row per order and product, customers as pseudonyms, times in UTC.

    The region (column `group`) is the customer's: it is null for orders of anonymous customers, and if the
    source's mapping has no such column.
    """
    good = checked.where(F.col(FATE).isin(*GOOD))
    # Grouping by a hash: Spark hashes numbers but sorts texts, and each pseudonym is computed only once.
    customer_hash = F.xxhash64(c.CUSTOMER, c.GROUP)
    customer_hash = F.when(F.col(c.CUSTOMER).isNotNull(), customer_hash).alias(CUSTOMER_HASH)
    group = F.nullif(F.trim(c.GROUP), F.lit("")).alias(c.GROUP)
    distinct = good.select(c.CUSTOMER, c.GROUP).distinct()
    customers = distinct.select(customer_hash, pseudonyms(c.CUSTOMER, identify).alias(c.CUSTOMER), group)
    return (
        good.groupBy(c.ORDER_ID, c.PRODUCT)
        .agg(
            F.min(TIME).alias(c.ORDERED_AT),
            F.min(customer_hash).alias(CUSTOMER_HASH),
            F.sum(UNITS).alias(c.QUANTITY),
            F.avg(PAID).alias(c.UNIT_PRICE),
        )
        .join(customers, CUSTOMER_HASH, "left")
        .select(*TYPES)
    )


def goods(checked: DataFrame) -> DataFrame:
    """Returns the products as their last sale describes them, in the columns of the catalogue."""
    weight = F.col(c.WEIGHT).try_cast("double").alias(c.WEIGHT)
    description = F.struct(c.NAME, c.CATEGORY, c.BRAND, weight)
    # Purchases reported to the service hold no names.
    sold = checked.where((F.col(FATE) == USED) & (F.col(c.SOURCE) != EVENTS))
    order = F.struct(TIME, c.ORDER_ID, c.LINE)
    last = sold.groupBy(c.PRODUCT).agg(
        F.max_by(description, order).alias("last"),
        F.max_by(PAID, F.when(F.col(PAID) > 0, order)).alias(c.PRICE),  # a gift says nothing about the price
    )
    goods = last.select(c.PRODUCT, "last.*", c.PRICE, F.lit(True).alias(c.IN_STOCK))
    return goods.select(*RAW_PRODUCTS.names)


def pseudonyms(column: str, identify: Pseudonymiser) -> Column:
    """Returns the pseudonyms of a column of customer ids."""
    pseudonymise = pandas_udf(_pseudonymise(identify), StringType())  # type: ignore[call-overload]
    result: Column = pseudonymise(F.col(column))
    return result


def _pseudonymise(identify: Pseudonymiser):  # type: ignore[no-untyped-def]  # Spark reads the inner function's type hints
    def pseudonymise(customers: pd.Series) -> pd.Series:
        known = {customer: identify.of_row(customer) for customer in customers.dropna().unique()}
        ids = [known.get(customer) for customer in customers]
        return pd.Series(ids, dtype=object)  # without it, a series of None alone would have dtype float

    return pseudonymise
