"""What every source of orders offers, and how it says what its rows mean."""

import datetime as dt
import logging
import re
import zoneinfo
from collections.abc import Callable
from typing import Protocol

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, field_validator

from pipelines import columns as c

log = logging.getLogger(__name__)

RAW_ORDERS = pa.schema(
    [(c.ORDER_ID, pa.string()), (c.LINE, pa.int64())]
    + [(name, pa.string()) for name in (c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE)]
    + [(c.SOURCE, pa.string()), (c.PAGE, pa.int64()), (c.EXTRACTED_AT, pa.timestamp("us", "UTC"))]
)
RAW_PRODUCTS = pa.schema(
    [(name, pa.string()) for name in (c.PRODUCT, c.NAME, c.CATEGORY, c.BRAND)]
    + [(c.PRICE, pa.float64()), (c.IN_STOCK, pa.bool_())]
)

Progress = Callable[[int, int], None]


class Dialect(BaseModel):
    """How a source writes its orders."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str = "UTC"  # of times that state none
    row_key: tuple[str, ...] = (c.ORDER_ID, c.LINE)  # rows that agree on these are one row
    not_products: str = ""  # regular expression of codes that are no products: postage, fees, vouchers
    guests: bool = False  # whether an order without a customer is a good order

    @field_validator("timezone")
    @classmethod
    def _known(cls, zone: str) -> str:
        if zone not in zoneinfo.available_timezones():
            raise ValueError("no time zone has this name; write it as Europe/London")
        return zone

    @field_validator("not_products")
    @classmethod
    def _regular(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return pattern


class Source(Protocol):
    """A shop's orders and products, as received."""

    dialect: Dialect

    def last_day(self) -> dt.date:
        """The last complete day that the source can give."""

    def orders(self, progress: Progress) -> pa.Table:
        """All order lines, in the schema RAW_ORDERS."""

    def products(self, as_of: dt.date) -> pa.Table:
        """All products as they were on a day, as far as the source can tell, in the schema RAW_PRODUCTS."""


def log_progress(done: int, total: int) -> None:
    """A log line for each tenth of the way."""
    if total and (done * 10) // total > ((done - 1) * 10) // total:
        log.info("%d of %d pages", done, total)
