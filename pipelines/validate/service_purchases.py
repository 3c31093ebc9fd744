"""Purchases that are both reported to the service and in the shop's orders: only the order counts."""

from ibis import Table, Value

from pipelines import columns as c
from pipelines.extract.events import ORDER_PREFIX
from pipelines.lake.days import day_of
from pipelines.validate.outputs import with_pseudonyms
from pipelines.validate.row_checks import FATE, REPORTED_AND_ORDERED, TIME, USED
from serving.live.identity import Pseudonymiser

KEY = [c.CUSTOMER, c.PRODUCT, c.DAY]
LINE = [c.ORDER_ID, c.PRODUCT]


def mark_duplicates(checked: Table, identify: Pseudonymiser) -> Table:
    """Returns the checked lines; reported purchases that an order holds get the fate REPORTED_AND_ORDERED.

    A purchase and an order line match if customer, product and day are the same.
    """
    used = checked.filter(checked[FATE] == USED).mutate({c.DAY: day_of(checked[TIME])})
    reported = used.filter(is_reported(used)).select(*KEY, c.ORDER_ID)
    # Computing pseudonyms takes the most time, so it is done for few lines.
    orders = used.filter(~is_reported(used)).semi_join(reported, [c.PRODUCT, c.DAY]).select(*KEY).distinct()
    reported, orders = (with_pseudonyms(rows, identify) for rows in (reported, orders))
    twice = reported.semi_join(orders, KEY).select(*LINE).distinct().mutate(_twice=True)
    joined = checked.left_join(twice, LINE)
    is_duplicate = joined._twice.fill_null(False) & (joined[FATE] == USED)
    fate = is_duplicate.ifelse(REPORTED_AND_ORDERED, joined[FATE])
    return joined.mutate({FATE: fate}).select(*checked.columns)


def is_reported(lines: Table) -> Value:
    """Returns whether a line is a purchase reported to the service."""
    return lines[c.ORDER_ID].startswith(ORDER_PREFIX).fill_null(False)
