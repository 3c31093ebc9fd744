"""Purchases that are both reported to the service and in the shop's orders: only the order counts."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines import columns as c
from pipelines.extract.events import ORDER_PREFIX
from pipelines.lake.days import day_of
from pipelines.validate.outputs import pseudonyms
from pipelines.validate.row_checks import FATE, REPORTED_AND_ORDERED, TIME, USED
from serving.live.identity import Pseudonymiser

KEY = [c.CUSTOMER, c.PRODUCT, c.DAY]
LINE = [c.ORDER_ID, c.PRODUCT]


def mark_duplicates(checked: DataFrame, identify: Pseudonymiser) -> DataFrame:
    """Returns the checked lines; reported purchases that an order holds get the fate REPORTED_AND_ORDERED.

    A purchase and an order line match if customer, product and day are the same.
    """
    used = checked.where(F.col(FATE) == USED).withColumn(c.DAY, day_of(TIME))
    reported = used.where(is_reported()).select(*KEY, c.ORDER_ID)
    product_days = F.broadcast(reported.select(c.PRODUCT, c.DAY).distinct())
    # Computing pseudonyms takes the most time, so it is done for few lines.
    orders = (
        used.where(~is_reported()).join(product_days, [c.PRODUCT, c.DAY], "left_semi").select(KEY).distinct()
    )
    reported, orders = (
        rows.withColumn(c.CUSTOMER, pseudonyms(c.CUSTOMER, identify)) for rows in (reported, orders)
    )
    twice = reported.join(orders, KEY, "left_semi").select(LINE).distinct().withColumn("_twice", F.lit(True))
    fate = F.when(F.col("_twice") & (F.col(FATE) == USED), F.lit(REPORTED_AND_ORDERED)).otherwise(F.col(FATE))
    return checked.join(F.broadcast(twice), LINE, "left").withColumn(FATE, fate).drop("_twice")


def is_reported() -> Column:
    """Returns whether a line is a purchase reported to the service."""
    return F.coalesce(F.col(c.ORDER_ID).startswith(ORDER_PREFIX), F.lit(False))
