"""What the service was told of and the shop's orders hold as well: it counts once, as the shop has it."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines import columns as c
from pipelines.extract.events import ORDER_PREFIX
from pipelines.validate.outputs import pseudonyms
from pipelines.validate.row_checks import FATE, REPORTED_AND_ORDERED, TIME, USED

KEY = [c.CUSTOMER, c.PRODUCT, c.DAY]
LINE = [c.ORDER_ID, c.PRODUCT]


def mark_duplicates(judged: DataFrame, key: str) -> DataFrame:
    """The judged lines; a purchase told of that an order holds, same customer, product and day, is TOLD."""
    used = judged.where(F.col(FATE) == USED).withColumn(c.DAY, F.to_date(TIME))
    told = used.where(is_reported()).select(*KEY, c.ORDER_ID)
    sold = F.broadcast(told.select(c.PRODUCT, c.DAY).distinct())
    # The customers of few lines are hidden, which takes the most time.
    orders = used.where(~is_reported()).join(sold, [c.PRODUCT, c.DAY], "left_semi").select(KEY).distinct()
    told, orders = (rows.withColumn(c.CUSTOMER, pseudonyms(c.CUSTOMER, key)) for rows in (told, orders))
    twice = told.join(orders, KEY, "left_semi").select(LINE).distinct().withColumn("_twice", F.lit(True))
    fate = F.when(F.col("_twice") & (F.col(FATE) == USED), F.lit(REPORTED_AND_ORDERED)).otherwise(F.col(FATE))
    return judged.join(F.broadcast(twice), LINE, "left").withColumn(FATE, fate).drop("_twice")


def is_reported() -> Column:
    """Whether a line is of a purchase that the service was told of."""
    return F.coalesce(F.col(c.ORDER_ID).startswith(ORDER_PREFIX), F.lit(False))
