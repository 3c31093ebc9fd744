"""Source `shop-api`: a shop's REST API, read page by page with Basic authentication."""

import asyncio
import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.extract import contract, raw
from pipelines.extract.http import ShopClient
from pipelines.extract.paging import Page, PagedReader, make_page
from pipelines.extract.source import Dialect, LastPull, Position, latest_plausible_day, source_name
from pipelines.extract.staging import Note, Staging
from pipelines.run.progress import Progress, silent
from pipelines.settings import Settings

ORDERS, GOODS = "/orders", "/goods"


class ShopApiSource:
    """Source `shop-api`: the orders and products of a shop's REST API."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.dialect = Dialect(guests=settings.shop_guests, identity=settings.shop_identity)
        self.name = source_name("shop-api", settings.shop_address)
        self.description = f"the shop at {settings.shop_address}"
        self.plan = {"page_size": settings.shop_page_size, "since": settings.shop_since}

    def last_day(self, last_pull: LastPull | None) -> dt.date:
        """Returns yesterday, because today's orders are incomplete."""
        return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)

    def orders(self, last_pull: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """Writes the new order lines to staging; the position is empty: raw/ shows which orders are known.

        Reads back to the first page with only known orders, or requests the orders since the last known
        day if it can filter by date. Raises the errors of ShopClient.page and PagedReader.read.
        """
        asyncio.run(self._orders(last_pull, staging, progress))
        return {}

    def products(self) -> pa.Table:
        """Returns the present catalogue in the schema RAW_PRODUCTS; raises the errors of ShopClient.page."""
        return asyncio.run(self._products())

    async def _orders(self, last_pull: LastPull | None, staging: Staging, progress: Progress) -> None:
        query, is_known = self._incremental(last_pull)
        resumed = {number: make_page(**staging.note(number)) for number in staging.pages()}
        staged, refetched = set(resumed), {}
        async with ShopClient(self.settings) as shop:

            async def fetch(number: int) -> Page:
                response = await shop.page(ORDERS, query, number, contract.ORDER_PAGE)
                note = _note(response)
                content = [contract.order_lines(response)], note
                if number in staged:
                    refetched[number] = content
                else:
                    staged.add(number)
                    staging.write(number, *content)
                return make_page(**note)

            reader = PagedReader(fetch, self.settings.shop_concurrency, resumed, progress)
            needed = await reader.read(is_known)
        # Refetched pages are written only now and by ascending number: a run that resumes from staging
        # assumes that of two pages the one with the lower number was fetched later.
        for number in sorted(refetched.keys() & set(needed)):
            staging.write(number, *refetched[number])
        for number in staged - set(needed):
            staging.drop(number)

    def _incremental(self, last_pull: LastPull | None) -> tuple[dict[str, str], Callable[[Page], bool]]:
        """Returns the query, and the test for the page at which reading stops."""
        query = {"expand": "basket"}
        if last_pull is None:
            return query, lambda _: False
        day = str(last_pull.last_day - dt.timedelta(days=self.settings.overlap_days))
        if self.settings.shop_since:
            return query | {self.settings.shop_since: f"{day}T00:00:00Z"}, lambda _: False
        return query, _known_before(day, raw.order_hashes(self.name))

    async def _products(self) -> pa.Table:
        tables: dict[int, pa.Table] = {}
        async with ShopClient(self.settings) as shop:

            async def fetch(number: int) -> Page:
                response = await shop.page(GOODS, {}, number, contract.GOOD_PAGE)
                tables[number] = contract.products(response)
                return make_page([good["id"] for good in response["goods"]], response["pageCount"], [])

            await PagedReader(fetch, self.settings.shop_concurrency, {}, silent).read(lambda _: False)
        return pa.concat_tables(tables.values())


def _note(response: contract.OrderPage) -> Note:
    """Returns the arguments of `make_page`: order ids, number of pages, first and last plausible day."""
    days = {(order["createdAt"] or "")[: c.ISO_DAY_LENGTH] for order in response["orders"]}
    limit = latest_plausible_day()
    plausible = sorted(day for day in days if re.match(c.ISO_DAY, day) and day <= limit)
    return {
        "ids": [order["id"] for order in response["orders"]],
        "count": response["pageCount"],
        "days": [plausible[0], plausible[-1]] if plausible else [],
    }


def _known_before(day: str, known: "np.ndarray[Any, Any]") -> Callable[[Page], bool]:
    """Returns a test for pages that end before a day and hold only known orders.

    known: hashes of order ids as `raw.order_hashes` returns them, int64, shape (orders,).
    """
    return lambda page: page.last_day < day and len(page.ids) > 0 and bool(np.isin(page.ids, known).all())
