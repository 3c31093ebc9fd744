"""The tables that are made of judged lines; none of them holds a customer's own id."""

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import StringType

from pipelines import columns as c
from pipelines.extract.events import SOURCE_NAME as EVENTS
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.validate.row_checks import DROPPED, FATE, GOOD, PAID, TIME, TYPICAL, UNITS, USED
from serving.live.identity import row_pseudonym

TYPES = {
    c.ORDER_ID: "string",
    c.ORDERED_AT: "timestamp",
    c.CUSTOMER: "string",
    c.PRODUCT: "string",
    c.QUANTITY: "double",
    c.UNIT_PRICE: "double",
    c.GROUP: "string",
}  # of the table `orders`
NUMBER = "_number"  # that stands for a customer's id and group


def schema_differences(orders: DataFrame) -> list[str]:
    """The columns by which a table isn't what `orders` is: missing, unknown or of another type."""
    return sorted({name for name, _ in set(orders.dtypes) ^ set(TYPES.items())})


def quarantine(judged: DataFrame, run: str, key: str) -> DataFrame:
    """The lines that broke a rule, as received but for the customer, with the rule and the run.

    A phone number stays in raw/ alone, where order and line find it.
    """
    broken = judged.where(~F.col(FATE).isin(*GOOD, *DROPPED)).drop(TIME, UNITS, PAID, TYPICAL)
    nameless = broken.withColumn(c.CUSTOMER, pseudonyms(c.CUSTOMER, key))
    return nameless.withColumnRenamed(FATE, c.RULE).withColumn(c.RUN, F.lit(run))


def orders(judged: DataFrame, key: str) -> DataFrame:
    """The table `orders`: one row per order and product, customers as pseudonyms, times in UTC.

    A group belongs to its customer: a guest's order has none, and neither has one whose source maps none.
    """
    good = judged.where(F.col(FATE).isin(*GOOD))
    # Spark aggregates numbers by hashing and texts by sorting, and each customer is hidden once.
    number = F.when(F.col(c.CUSTOMER).isNotNull(), F.xxhash64(c.CUSTOMER, c.GROUP)).alias(NUMBER)
    group = F.nullif(F.trim(c.GROUP), F.lit("")).alias(c.GROUP)
    each = good.select(c.CUSTOMER, c.GROUP).distinct()
    customers = each.select(number, pseudonyms(c.CUSTOMER, key).alias(c.CUSTOMER), group)
    return (
        good.groupBy(c.ORDER_ID, c.PRODUCT)
        .agg(
            F.min(TIME).alias(c.ORDERED_AT),
            F.min(number).alias(NUMBER),
            F.sum(UNITS).alias(c.QUANTITY),
            F.avg(PAID).alias(c.UNIT_PRICE),
        )
        .join(customers, NUMBER, "left")
        .select(*TYPES)
    )


def goods(judged: DataFrame) -> DataFrame:
    """The products as their last sale tells of them, in the columns of the catalogue."""
    weight = F.col(c.WEIGHT).try_cast("double").alias(c.WEIGHT)
    told = F.struct(c.NAME, c.CATEGORY, c.BRAND, F.col(PAID).alias(c.PRICE), weight)
    sold = judged.where((F.col(FATE) == USED) & (F.col(c.SOURCE) != EVENTS))  # which tell of no name
    last = sold.groupBy(c.PRODUCT).agg(F.max_by(told, F.struct(TIME, c.ORDER_ID, c.LINE)).alias("last"))
    return last.select(c.PRODUCT, "last.*", F.lit(True).alias(c.IN_STOCK)).select(*RAW_PRODUCTS.names)


def pseudonyms(column: str, key: str) -> Column:
    """The pseudonyms of a column of customers' ids."""
    hide = pandas_udf(_hider(key), StringType())  # type: ignore[call-overload]
    found: Column = hide(F.col(column))
    return found


def _hider(key: str):  # type: ignore[no-untyped-def]  # Spark reads the hints of the inner function
    def hide(customers: pd.Series) -> pd.Series:
        known = {one: row_pseudonym(one, key) for one in customers.dropna().unique()}
        return pd.Series([known.get(one) for one in customers], dtype=object)  # also where all are guests

    return hide
