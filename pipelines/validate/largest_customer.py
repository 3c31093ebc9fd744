"""The largest customer's share of the orders, which is large if one id stands for many people."""

import datetime as dt
import math

import ibis
from ibis import Table, _

from expectations.measure import Measure
from pipelines import columns as c
from pipelines.validate.measures import LOOK_BACK

MIN_ORDERS = 100  # the share is taken of at least this many orders


def largest_customer(orders: Table, as_of: dt.date) -> Measure:
    """Returns the largest customer's share of the orders of the last eight weeks, times √(customers).

    orders: the table `orders`. The busiest person's share falls as the shop grows, roughly with the root of
    the number of customers: Online Retail II, where shops buy, reaches 0.7, dunnhumby's households 0.3.
    """
    recent = orders.filter(
        orders[c.CUSTOMER].notnull()
        & (orders[c.QUANTITY] > 0)
        & (orders[c.ORDERED_AT].date() > ibis.literal(as_of - LOOK_BACK))
    )
    placed = recent.group_by(c.CUSTOMER).agg(orders=_[c.ORDER_ID].nunique())
    row = (
        placed.agg(largest=_.orders.max(), total=_.orders.sum().cast("int64"), customers=_.count())
        .to_pyarrow()
        .to_pylist()[0]
    )
    largest, total, customers = row.values()
    share = (largest or 0) / max(total or 0, MIN_ORDERS)
    message = f"one customer placed {share:.1%} of the orders of eight weeks, among {customers:,} customers"
    return Measure("largest_customer", as_of, share * math.sqrt(customers), message)
