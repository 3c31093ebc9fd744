"""A shop's API over HTTP, asked politely: so many at once, so many a second, and later where it says so."""

import asyncio
import datetime as dt
import email.utils
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiolimiter import AsyncLimiter
from pydantic import TypeAdapter, ValidationError
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from pipelines.settings import Settings
from serving.errors import NightshelfError, TransientError

OK = 200
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
REFUSED = (401, 403)
LONGEST_BACKOFF = 60.0
LONGEST_WAIT = 3600.0


class InvalidJsonError(Exception):
    """An answer that is no whole JSON: another try may bring the rest."""


class StatusError(Exception):
    """An answer that isn't 200."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ShopClient:
    """A shop's API; used with `async with`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = s = settings
        self.resume_at = 0.0  # no request before this moment of the monotonic clock
        self.limiter = AsyncLimiter(max(s.shop_rate, 1.0), max(1.0, 1.0 / s.shop_rate))
        self.turns = asyncio.Semaphore(s.shop_concurrency)
        self.retrying = AsyncRetrying(
            retry=retry_if_exception(_worth_retrying),
            wait=wait_random_exponential(multiplier=s.shop_backoff, max=LONGEST_BACKOFF),
            stop=stop_after_attempt(s.shop_tries),
            reraise=True,
        )

    async def __aenter__(self) -> Self:
        s = self.settings
        password = s.shop_password.get_secret_value()
        self.session = aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth(s.shop_user, password)},
            connector=aiohttp.TCPConnector(limit=s.shop_concurrency),
            timeout=aiohttp.ClientTimeout(total=s.shop_timeout),
            proxy=_proxy(s.shop_address),  # by trust_env a .netrc would speak against the settings
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    async def page(self, path: str, query: dict[str, str], number: int, shape: TypeAdapter[Any]) -> Any:
        """A page, in its shape.

        Raises PassingError for what a later try may mend, after as many tries as the settings say;
        NightshelfError at once for a refusal, a missing path or another shape, naming page and field.
        """
        asked = query | {"page": str(number), "per-page": str(self.settings.shop_page_size)}
        try:
            return await self.retrying(self._once, path, asked, shape)
        except StatusError as error:
            kind = TransientError if _worth_retrying(error) else NightshelfError
            raise kind(self._refusal(error.status, path, number)) from None
        except InvalidJsonError:
            raise TransientError(
                f"the shop's {path} page {number} is no whole JSON, {self.settings.shop_tries} times in a row"
            ) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TransientError(
                f"the shop at {self.settings.shop_address} can't be reached for {path} page {number}"
                f" ({type(error).__name__}, {self.settings.shop_tries} tries): is it up, is"
                " NIGHTSHELF_SHOP_URL right?"
            ) from None
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise NightshelfError(
                f"the shop's {path} page {number} has another shape: {field}: {first['msg']}"
            ) from None

    async def _once(self, path: str, query: dict[str, str], shape: TypeAdapter[Any]) -> Any:
        async with self.turns:
            await self.limiter.acquire()
            while (left := self.resume_at - time.monotonic()) > 0:
                await asyncio.sleep(left)
            body = await self._body(f"{self.settings.shop_address.rstrip('/')}{path}", query)
        try:
            return shape.validate_json(body)
        except ValidationError as error:
            if error.errors(include_input=False)[0]["type"] == "json_invalid":
                raise InvalidJsonError from None
            raise

    async def _body(self, url: str, query: dict[str, str]) -> bytes:
        async with self.session.get(url, params=query, allow_redirects=False) as answer:
            if answer.status == OK:
                return await answer.read()
            if (seconds := _retry_after(answer.headers)) > LONGEST_WAIT:
                raise TransientError(
                    f"the shop at {self.settings.shop_address} asks to be left alone for {seconds:.0f} s"
                )
            self.resume_at = max(self.resume_at, time.monotonic() + seconds)
            raise StatusError(answer.status)

    def _refusal(self, status: int, path: str, number: int) -> str:
        s = self.settings
        if status in REFUSED:
            return (
                f"the shop refused user {s.shop_user!r} at {path} ({status}):"
                " check NIGHTSHELF_SHOP_USER and NIGHTSHELF_SHOP_PASSWORD"
            )
        tries = f", {s.shop_tries} times in a row" if _transient(status) else ""
        return (
            f"the shop answered {status} for {path} page {number}{tries}:"
            " see that the shop is well, and NIGHTSHELF_SHOP_URL right"
        )


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for an address."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def _worth_retrying(error: BaseException) -> bool:
    if isinstance(error, StatusError):
        return _transient(error.status)
    return isinstance(error, aiohttp.ClientError | TimeoutError | InvalidJsonError)


def _transient(status: int) -> bool:
    return status == TOO_MANY_REQUESTS or status >= SERVER_ERROR


def _retry_after(headers: Mapping[str, str]) -> float:
    """The seconds that an answer asks to wait: RFC 9110, 10.2.3, a number or a date; else none."""
    told = headers.get("Retry-After", "")
    if told.isdecimal():
        return float(told)
    try:
        return (email.utils.parsedate_to_datetime(told) - dt.datetime.now(dt.UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0
