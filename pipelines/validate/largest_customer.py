"""The largest customer's share of the orders, which is large if one id stands for many people."""

import datetime as dt
import math

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from expectations.measure import Measure
from pipelines import columns as c
from pipelines.validate.measures import LOOK_BACK

MIN_ORDERS = 100  # the share is taken of at least this many orders


def largest_customer(orders: DataFrame, as_of: dt.date) -> Measure:
    """Returns the largest customer's share of the orders of the last eight weeks, times √(customers).

    orders: the table `orders`. The busiest person's share falls as the shop grows, roughly with the root of
    the number of customers: Online Retail II, where shops buy, reaches 0.7, dunnhumby's households 0.3.
    """
    recent = orders.where(
        F.col(c.CUSTOMER).isNotNull()
        & (F.col(c.QUANTITY) > 0)
        & (F.to_date(c.ORDERED_AT) > F.lit(as_of - LOOK_BACK))
    )
    placed = recent.select(c.CUSTOMER, c.ORDER_ID).distinct().groupBy(c.CUSTOMER).agg(F.count("*").alias("n"))
    largest, total, customers = placed.agg(F.max("n"), F.sum("n"), F.count("*")).collect()[0]
    share = (largest or 0) / max(total or 0, MIN_ORDERS)
    message = f"one customer placed {share:.1%} of the orders of eight weeks, among {customers:,} customers"
    return Measure("largest_customer", as_of, share * math.sqrt(customers), message)
