"""The suites: what must be true of a night's tables before anything is learned from them."""

import datetime as dt
from typing import Any

from great_expectations import expectations as gxe
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.expectations.metadata_types import FailureSeverity

from pipelines import columns as c

FRESH_DAYS = 2
MOST_UNITS = 100_000
FEWEST_PRODUCTS = 10


def orders(as_of: dt.date) -> ExpectationSuite:
    """What the table `orders` must be on the night of a day."""
    columns = [c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE]
    fresh = str(as_of - dt.timedelta(days=FRESH_DAYS))
    return ExpectationSuite(
        name="orders",
        expectations=[
            gxe.ExpectTableColumnsToMatchSet(column_set=columns, **_must("the columns are the known ones")),
            gxe.ExpectTableRowCountToBeBetween(min_value=1, **_must("there is at least one order line")),
            gxe.ExpectColumnValuesToNotBeNull(column=c.PRODUCT, **_must("every line names a product")),
            gxe.ExpectColumnValuesToNotBeNull(
                column=c.CUSTOMER, mostly=0.5, **_must("at least half of the lines have a customer")
            ),
            gxe.ExpectColumnMaxToBeBetween(
                column=c.ORDERED_AT,
                min_value=fresh,
                **_should(f"the last order is at most {FRESH_DAYS} days old"),
            ),
        ],
    )


def interactions() -> ExpectationSuite:
    """What the table `interactions` must be."""
    most = f"nobody bought more than {MOST_UNITS} of a product in a day"
    return ExpectationSuite(
        name="interactions",
        expectations=[
            gxe.ExpectTableRowCountToBeBetween(min_value=1, **_must("there is at least one interaction")),
            gxe.ExpectColumnValuesToNotBeNull(column=c.CUSTOMER, **_must("every row has a customer")),
            gxe.ExpectColumnMinToBeBetween(column=c.QUANTITY, min_value=0, **_must("no negative units")),
            gxe.ExpectColumnMaxToBeBetween(column=c.QUANTITY, max_value=MOST_UNITS, **_should(most)),
            gxe.ExpectColumnUniqueValueCountToBeBetween(
                column=c.PRODUCT, min_value=FEWEST_PRODUCTS, **_should("at least ten products were bought")
            ),
        ],
    )


def _must(why: str) -> dict[str, Any]:
    return {"severity": FailureSeverity.CRITICAL, "meta": {"why": why}}


def _should(why: str) -> dict[str, Any]:
    return {"severity": FailureSeverity.WARNING, "meta": {"why": why}}
