"""A client of the shop's API that limits concurrency and rate, retries, and obeys Retry-After."""

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
UNAUTHORISED = (401, 403)
LONGEST_BACKOFF = 60.0  # seconds
LONGEST_WAIT = 3600.0  # seconds


class InvalidJsonError(Exception):
    """A response that is not complete JSON; a retry may return the rest."""


class StatusError(Exception):
    """A response with a status other than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ShopClient:
    """A client of the shop's API; use it with `async with`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = s = settings
        self.resume_at = 0.0  # no request before this time of the monotonic clock
        self.limiter = AsyncLimiter(max(s.shop_rate, 1.0), max(1.0, 1.0 / s.shop_rate))
        self.slots = asyncio.Semaphore(s.shop_concurrency)
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
            proxy=_proxy(s.shop_address),  # not trust_env: a .netrc would override the settings
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    async def page(self, path: str, query: dict[str, str], number: int, shape: TypeAdapter[Any]) -> Any:
        """Fetches a page, and returns its content, validated by `shape`.

        Raises TransientError, after NIGHTSHELF_SHOP_TRIES tries, for temporary failures: 5xx, 429, an
        unreachable shop, incomplete JSON. Raises NightshelfError, naming page and field, for other statuses
        and for responses of another shape.
        """
        query = query | {"page": str(number), "per-page": str(self.settings.shop_page_size)}
        try:
            return await self.retrying(self._fetch, path, query, shape)
        except StatusError as error:
            kind = TransientError if _worth_retrying(error) else NightshelfError
            raise kind(self._status_message(error.status, path, number)) from None
        except InvalidJsonError:
            raise TransientError(
                f"the shop's response to {path} page {number} was not complete JSON,"
                f" {self.settings.shop_tries} times in a row: check the shop's API at"
                f" {self.settings.shop_address} (NIGHTSHELF_SHOP_URL)"
            ) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TransientError(
                f"the shop at {self.settings.shop_address} can't be reached for {path} page {number}"
                f" ({type(error).__name__}, {self.settings.shop_tries} tries): check that it is up and that"
                " NIGHTSHELF_SHOP_URL is right"
            ) from None
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "the response"
            raise NightshelfError(
                f"the shop's response to {path} page {number} breaks the API's contract: {field}:"
                f" {first['msg']}; correct that field in the shop's API"
            ) from None

    async def _fetch(self, path: str, query: dict[str, str], shape: TypeAdapter[Any]) -> Any:
        async with self.slots:
            await self.limiter.acquire()
            while (seconds := self.resume_at - time.monotonic()) > 0:
                await asyncio.sleep(seconds)
            body = await self._body(f"{self.settings.shop_address.rstrip('/')}{path}", query)
        try:
            return shape.validate_json(body)
        except ValidationError as error:
            if error.errors(include_input=False)[0]["type"] == "json_invalid":
                raise InvalidJsonError from None
            raise

    async def _body(self, url: str, query: dict[str, str]) -> bytes:
        async with self.session.get(url, params=query, allow_redirects=False) as response:
            if response.status == OK:
                return await response.read()
            if (seconds := _retry_after(response.headers)) > LONGEST_WAIT:
                raise TransientError(
                    f"the shop at {self.settings.shop_address} requests a wait of {seconds:.0f} s"
                    f" ({response.status}): repeat the run after that time"
                )
            self.resume_at = max(self.resume_at, time.monotonic() + seconds)
            raise StatusError(response.status)

    def _status_message(self, status: int, path: str, number: int) -> str:
        s = self.settings
        if status in UNAUTHORISED:
            return (
                f"the shop refused user {s.shop_user!r} at {path} ({status}):"
                " check NIGHTSHELF_SHOP_USER and NIGHTSHELF_SHOP_PASSWORD"
            )
        tries = f", {s.shop_tries} times in a row" if _is_transient(status) else ""
        return (
            f"the shop answered {status} for {path} page {number}{tries}:"
            " check the shop's log, and that NIGHTSHELF_SHOP_URL is right"
        )


def _proxy(url: str) -> str | None:
    """Returns the proxy that the environment configures for a URL."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def _worth_retrying(error: BaseException) -> bool:
    if isinstance(error, StatusError):
        return _is_transient(error.status)
    return isinstance(error, aiohttp.ClientError | TimeoutError | InvalidJsonError)


def _is_transient(status: int) -> bool:
    return status == TOO_MANY_REQUESTS or status >= SERVER_ERROR


def _retry_after(headers: Mapping[str, str]) -> float:
    """Returns the seconds to wait by Retry-After (RFC 9110, 10.2.3); 0 if it is missing or invalid."""
    value = headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    try:
        return (email.utils.parsedate_to_datetime(value) - dt.datetime.now(dt.UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0
