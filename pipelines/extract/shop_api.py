"""A shop over HTTP: its orders and goods, page by page, with Basic auth."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import httpx
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from pipelines import columns as c
from pipelines.extract import contract
from pipelines.extract.source import RAW_ORDERS, RAW_PRODUCTS, Dialect, Progress
from pipelines.settings import Settings
from serving.errors import NightshelfError, PassingError

TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
REFUSED = (401, 403)


class ShopApi:
    """Source `shop-api`: all orders and goods of a shop's REST API."""

    dialect = Dialect()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def last_day(self) -> dt.date:
        """Yesterday: today's orders are still coming in."""
        return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)

    def orders(self, progress: Progress) -> pa.Table:
        """All order lines; raises NightshelfError naming the page and the cause."""
        pages = asyncio.run(self._pages("/orders", {"expand": "basket"}, contract.ORDER_PAGE, progress))
        now = dt.datetime.now(dt.UTC)
        rows = [row for page, answer in pages for row in contract.order_rows(answer, page)]
        if not rows:
            raise NightshelfError(f"the shop at {self.settings.shop_url} answered /orders without any order")
        raw = pa.Table.from_pylist(rows, schema=RAW_ORDERS)
        stamp = pa.array([now] * len(rows), RAW_ORDERS.field(c.EXTRACTED_AT).type)
        return raw.set_column(raw.schema.get_field_index(c.EXTRACTED_AT), c.EXTRACTED_AT, stamp)

    def products(self, as_of: dt.date) -> pa.Table:
        """All goods as they are now: the shop tells nothing of how they were."""
        pages = asyncio.run(self._pages("/goods", {}, contract.GOOD_PAGE, lambda done, total: None))
        rows = [row for _, answer in pages for row in contract.product_rows(answer)]
        return pa.Table.from_pylist(rows, schema=RAW_PRODUCTS)

    async def _pages(
        self, path: str, query: dict[str, str], shape: TypeAdapter[Any], progress: Progress
    ) -> list[tuple[int, Any]]:
        s = self.settings
        limits = httpx.Limits(max_connections=s.shop_concurrency)
        auth = httpx.BasicAuth(s.shop_user, s.shop_password.get_secret_value())
        async with httpx.AsyncClient(
            base_url=s.shop_url, auth=auth, limits=limits, timeout=s.shop_timeout
        ) as shop:

            async def page(number: int) -> Any:
                answer = await _get(shop, path, query | {"page": str(number)}, s)
                return _parse(shape, answer.content, f"{path} page {number}")

            return await _all(page, s.shop_concurrency, progress)


async def _all(page: Callable[[int], Any], at_once: int, progress: Progress) -> list[tuple[int, Any]]:
    """Every page, in order; pages that come to be while others are read are read too."""
    answers = {1: await page(1)}
    gate = asyncio.Semaphore(at_once)

    async def fetch(number: int) -> None:
        async with gate:
            answers[number] = await page(number)
        progress(len(answers), _last(answers))

    read, first = 1, 2
    while (last := _last(answers)) > read:
        await _together([fetch(number) for number in range(first, last + 1)])
        read = first = last  # where pages were added it is read again: it had room for the first new orders
    return sorted(answers.items(), key=lambda pair: pair[0])


def _last(answers: dict[int, Any]) -> int:
    return int(max(answer.pageCount for answer in answers.values()))


async def _together(jobs: list[Any]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from None


async def _get(shop: httpx.AsyncClient, path: str, query: dict[str, str], s: Settings) -> httpx.Response:
    retrying = AsyncRetrying(
        retry=retry_if_exception(_worth_retrying),
        wait=wait_exponential_jitter(multiplier=0.5, max=30),
        stop=stop_after_attempt(s.shop_tries),
        reraise=True,
    )
    try:
        return await retrying(_get_once, shop, path, query | {"per-page": str(s.shop_page_size)})
    except httpx.HTTPStatusError as error:
        kind = PassingError if _worth_retrying(error) else NightshelfError
        raise kind(_refusal(error.response.status_code, path, query["page"], s)) from None
    except httpx.HTTPError as error:
        raise PassingError(
            f"the shop at {s.shop_url} can't be reached for {path} page {query['page']}"
            f" ({type(error).__name__}, {s.shop_tries} tries): is it up, is NIGHTSHELF_SHOP_URL right?"
        ) from None


async def _get_once(shop: httpx.AsyncClient, path: str, query: dict[str, str]) -> httpx.Response:
    return (await shop.get(path, params=query)).raise_for_status()


def _worth_retrying(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status == TOO_MANY_REQUESTS or status >= SERVER_ERROR
    return isinstance(error, httpx.TransportError)


def _refusal(status: int, path: str, page: str, s: Settings) -> str:
    if status in REFUSED:
        return (
            f"the shop refused user {s.shop_user!r} at {path} ({status}):"
            " check NIGHTSHELF_SHOP_USER and NIGHTSHELF_SHOP_PASSWORD"
        )
    return f"the shop answered {status} for {path} page {page} ({s.shop_tries} tries at most)"


def _parse(shape: TypeAdapter[Any], body: bytes, where: str) -> Any:
    try:
        return shape.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise NightshelfError(f"the shop's {where} has another shape: {field}: {first['msg']}") from None
