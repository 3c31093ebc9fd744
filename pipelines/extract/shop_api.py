"""A shop over HTTP: its orders and goods, page by page, with Basic auth."""

import asyncio
import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.extract import contract, raw
from pipelines.extract.http import ShopClient
from pipelines.extract.paging import Page, PagedReader, make_page
from pipelines.extract.source import (
    DAY_LETTERS,
    ISO_DAY,
    Dialect,
    LastPull,
    Position,
    latest_plausible_day,
    source_name,
)
from pipelines.extract.staging import Note, Staging
from pipelines.run.progress import Progress, silent
from pipelines.settings import Settings

ORDERS, GOODS = "/orders", "/goods"


class ShopApiSource:
    """Source `shop-api`: the orders and goods of a shop's REST API."""

    dialect = Dialect()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.name = source_name("shop-api", settings.shop_address)
        self.description = f"the shop at {settings.shop_address}"
        self.plan = {"page_size": settings.shop_page_size, "since": settings.shop_since}

    def last_day(self, since: LastPull | None) -> dt.date:
        """Yesterday: today's orders are still coming in."""
        return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)

    def orders(self, since: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """Nothing to remember: the days known tell where to go on.

        Asks for the pages back to the first that holds known orders alone, or for those since the
        last day known where the shop can list them. Errors are those of Shop.page.
        """
        asyncio.run(self._orders(since, staging, progress))
        return {}

    def products(self) -> pa.Table:
        """All goods as they are now; errors are those of Shop.page."""
        return asyncio.run(self._goods())

    async def _orders(self, since: LastPull | None, staging: Staging, progress: Progress) -> None:
        query = {"expand": "basket"}
        known: Callable[[Page], bool] = lambda _: False  # noqa: E731
        if since:
            day = str(since.last_day - dt.timedelta(days=self.settings.overlap_days))
            if self.settings.shop_since:
                query[self.settings.shop_since] = f"{day}T00:00:00Z"
            else:
                known = _known_before(day, raw.order_hashes(self.name))
        kept = {number: make_page(**staging.note(number)) for number in staging.pages()}
        first, later = set(kept), {}
        async with ShopClient(self.settings) as shop:

            async def ask(number: int) -> Page:
                answer = await shop.page(ORDERS, query, number, contract.ORDER_PAGE)
                note = _note(answer)
                told = [contract.order_lines(answer)], note
                if number in first:
                    later[number] = told
                else:
                    first.add(number)
                    staging.write(number, *told)
                return make_page(**note)

            needed = await PagedReader(ask, self.settings.shop_concurrency, kept, progress).read(known)
        # Only now and from the oldest page on: a run that goes on with staged pages takes the older ones
        # for the later answers.
        for number in sorted(later.keys() & set(needed)):
            staging.write(number, *later[number])
        for number in first - set(needed):
            staging.drop(number)

    async def _goods(self) -> pa.Table:
        tables: dict[int, pa.Table] = {}
        async with ShopClient(self.settings) as shop:

            async def ask(number: int) -> Page:
                answer = await shop.page(GOODS, {}, number, contract.GOOD_PAGE)
                tables[number] = contract.products(answer)
                return make_page([one["id"] for one in answer["goods"]], answer["pageCount"], [])

            await PagedReader(ask, self.settings.shop_concurrency, {}, silent).read(lambda _: False)
        return pa.concat_tables(tables.values())


def _note(answer: contract.OrderPage) -> Note:
    """What is to be known of a page: the ids of its orders, how many pages there are, and its days."""
    days = {(order["createdAt"] or "")[:DAY_LETTERS] for order in answer["orders"]}
    real = sorted(day for day in days if re.match(ISO_DAY, day) and day <= latest_plausible_day())
    return {
        "ids": [order["id"] for order in answer["orders"]],
        "count": answer["pageCount"],
        "days": [real[0], real[-1]] if real else [],
    }


def _known_before(day: str, known: "np.ndarray[Any, Any]") -> Callable[[Page], bool]:
    """Whether a page ends before a day and holds no order that isn't known."""
    return lambda one: one.day < day and len(one.ids) > 0 and bool(np.isin(one.ids, known).all())
