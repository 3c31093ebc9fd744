"""Profiles each day of the orders: Spark counts, pandas only joins the counts."""

import datetime as dt
from functools import partial

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipelines import columns as c
from pipelines.lake.days import day_of
from pipelines.lake.spark import run_concurrently
from pipelines.validate import waterfall as w
from pipelines.validate.row_checks import FATE, GOOD, RETURNED

HOURS = [f"hour_{hour:02}" for hour in range(24)]
RETURNS = "returns"
COPIES, NUMBER = "copies", "number"
CUSTOMERS, KNOWN = "customers", "known"
PAIRS, KNOWN_PAIRS = "pairs", "known_pairs"
SALES, TOP, TOP_PRODUCT, UNLISTED = "sales", "top", "top_product", "unlisted"
FIRST, NEW = "first", "new"
LAST_DAY = "last_day"
AT, ITEM, CONTENT = "at", "item", "content"
SUMS = [w.LINES, w.REVENUE, w.LOG_PIECES, w.GUESTS, w.PRICED, w.LOG_PRICE, w.MOVED]

SAMPLE = 10_000  # customers that a later run looks up to check that customer ids are unchanged


def profile(
    tallied: pd.DataFrame, orders: DataFrame, listed: DataFrame | None, until: dt.date
) -> pd.DataFrame:
    """One row per calendar day, from that of the first order to `until`; counts of days without orders are 0.

    tallied: the table of `waterfall.tally`; orders: the table `orders`; listed: the catalogue's product ids,
    or None without a catalogue.

    Columns:
    - lines, revenue, log_pieces, guests, priced, log_price, moved: as in waterfall.tally
    - returns: returned lines
    - orders; hour_00 to hour_23: orders by UTC hour
    - copies: orders that equal an earlier one in customer, products, quantities and second of the day
    - number: the median order id, null if order ids aren't numbers
    - customers; known: those who bought on an earlier day
    - pairs: pairs of a known customer and a product; known_pairs: those bought on an earlier day, too
    - sales: pairs of an order and a product; unlisted: sales of products missing from the catalogue
    - top_product: the day's best seller; top: its sales
    - first: products sold for the first time; new: their sales
    """
    sold = _numbered(orders.where(F.col(c.QUANTITY) > 0))
    parts = (_baskets(sold), _customers(sold), _products(sold, listed))
    days = pd.concat(
        [_lines(tallied), *run_concurrently(*(partial(_by_day, part) for part in parts))], axis=1
    )
    calendar = pd.date_range(days.index.min(), pd.Timestamp(until), name=c.DAY)
    counts = days.columns.difference([NUMBER, TOP_PRODUCT])
    return days.reindex(calendar).fillna(dict.fromkeys(counts, 0))


def sample(orders: DataFrame) -> pa.Table:
    """Returns the 2 * SAMPLE customers whose pseudonyms sort first, with the day of their last order.

    The sample is random, because pseudonyms are hashes.
    """
    identified = orders.where(F.col(c.CUSTOMER).isNotNull() & (F.col(c.QUANTITY) > 0))
    last = identified.groupBy(c.CUSTOMER).agg(F.max(day_of(c.ORDERED_AT)).alias(LAST_DAY))
    return last.orderBy(c.CUSTOMER).limit(2 * SAMPLE).toArrow()


def _lines(tallied: pd.DataFrame) -> pd.DataFrame:
    good = tallied[tallied[FATE].isin(GOOD)]
    returns = good[good[FATE] == RETURNED].groupby(c.DAY)[w.LINES].sum().rename(RETURNS)
    days = pd.concat([good.groupby(c.DAY)[SUMS].sum(), returns], axis=1)
    return days.set_index(pd.to_datetime(days.index))


def _by_day(counted: DataFrame) -> pd.DataFrame:
    days = counted.toPandas()
    return days.set_index(pd.to_datetime(days.pop(c.DAY)))


def _numbered(sold: DataFrame) -> DataFrame:
    """Sales with hashes instead of texts that are only compared: numbers group and sort faster."""
    return sold.select(
        day_of(c.ORDERED_AT).alias(c.DAY),
        F.col(c.ORDERED_AT).alias(AT),
        F.xxhash64(c.ORDER_ID).alias(c.ORDER_ID),
        F.col(c.ORDER_ID).try_cast("double").alias(NUMBER),
        F.when(F.col(c.CUSTOMER).isNotNull(), F.xxhash64(c.CUSTOMER)).alias(c.CUSTOMER),
        F.xxhash64(c.PRODUCT).alias(ITEM),
        F.xxhash64(c.PRODUCT, c.QUANTITY).alias(CONTENT),
        c.PRODUCT,
    )


def _baskets(sold: DataFrame) -> DataFrame:
    orders = sold.groupBy(c.ORDER_ID, c.CUSTOMER).agg(
        F.min(AT).alias(AT), F.bit_xor(CONTENT).alias(CONTENT), F.min(NUMBER).alias(NUMBER)
    )
    second = F.unix_seconds(AT) % 86_400
    equal_orders = Window.partitionBy(c.CUSTOMER, CONTENT, second).orderBy(AT, c.ORDER_ID)
    marked = orders.withColumn("copy", F.row_number().over(equal_orders) > 1)
    hours = [F.count_if(F.hour(AT) == hour).alias(name) for hour, name in enumerate(HOURS)]
    return marked.groupBy(day_of(AT).alias(c.DAY)).agg(
        F.count(F.lit(1)).alias(c.ORDERS),
        F.count_if("copy").alias(COPIES),
        F.percentile_approx(NUMBER, 0.5).alias(NUMBER),
        *hours,
    )


def _customers(sold: DataFrame) -> DataFrame:
    # One shuffle by customer suffices for all groupings below.
    identified = sold.where(F.col(c.CUSTOMER).isNotNull()).repartition(c.CUSTOMER)
    pairs = identified.groupBy(c.CUSTOMER, ITEM, c.DAY).agg(F.count(F.lit(1)).alias("n"))
    first = F.min(c.DAY).over(Window.partitionBy(c.CUSTOMER))
    pair_first = F.min(c.DAY).over(Window.partitionBy(c.CUSTOMER, ITEM))
    returning, repeated = first < F.col(c.DAY), pair_first < F.col(c.DAY)
    marked = pairs.select(c.CUSTOMER, c.DAY, returning.alias("returning"), repeated.alias("repeated"))
    visits = marked.groupBy(c.CUSTOMER, c.DAY).agg(
        F.count_if("returning").alias("returning"), F.count_if("repeated").alias("repeated")
    )
    return visits.groupBy(c.DAY).agg(
        F.count(F.lit(1)).alias(CUSTOMERS),
        F.count_if(F.col("returning") > 0).alias(KNOWN),
        F.sum("returning").alias(PAIRS),
        F.sum("repeated").alias(KNOWN_PAIRS),
    )


def _products(sold: DataFrame, listed: DataFrame | None) -> DataFrame:
    sales = sold.groupBy(c.PRODUCT, c.DAY).agg(F.count(F.lit(1)).alias("n"))
    first = F.min(c.DAY).over(Window.partitionBy(c.PRODUCT))
    marked = sales.withColumn("new", first == F.col(c.DAY)).withColumn("unlisted", F.lit(False))
    if listed is not None:
        marked = marked.drop("unlisted").join(listed.withColumn("listed", F.lit(True)), c.PRODUCT, "left")
        marked = marked.withColumn("unlisted", F.col("listed").isNull())
    return marked.groupBy(c.DAY).agg(
        F.sum("n").alias(SALES),
        F.max("n").alias(TOP),
        F.max_by(c.PRODUCT, "n").alias(TOP_PRODUCT),
        F.count_if("new").alias(FIRST),
        F.sum(F.when(F.col("new"), F.col("n"))).alias(NEW),
        F.sum(F.when(F.col("unlisted"), F.col("n"))).alias(UNLISTED),
    )
