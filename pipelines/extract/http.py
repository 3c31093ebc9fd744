"""A client of a shop's API that limits concurrency, rate and size, retries, and obeys the shop's waits."""

import asyncio
import datetime as dt
import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiolimiter import AsyncLimiter
from pydantic import TypeAdapter, ValidationError
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from pipelines.extract import failures
from pipelines.extract.shops import graphql
from pipelines.extract.shops.access import Access, Limits
from pipelines.settings import Settings
from serving.errors import NightshelfError, TransientError

OK = 200
NO_CONTENT = 204
NOT_FOUND = 404
LONGEST_BACKOFF = 60.0  # seconds
LONGEST_WAIT = 3600.0  # seconds
CHUNK = 1 << 16  # bytes of a response read at once
EMPTY_LIST = b"[]"
# Of one response's text: a value takes up to 200 bytes of memory, an object more, however short its text.
MOST = {b"{": 500_000, b",": 2_000_000}


@dataclass(frozen=True)
class Request:
    """A request for a page; with `json` it is a POST."""

    path: str
    label: str  # names the page in messages
    query: dict[str, str] = field(default_factory=dict)
    json: Any = None
    url: str = ""  # the whole address, of a page that the shop linked to
    empty: tuple[int, ...] = ()  # statuses that stand for a page without entries; if any, [] does, too


class Response(NamedTuple):
    """A validated response."""

    content: Any
    headers: Mapping[str, str]
    next_url: str | None  # the shop's link to the next page


class ShopClient:
    """A client of the shop's API; use it with `async with`."""

    def __init__(
        self, settings: Settings, access: Access | None = None, limits: Limits | None = None
    ) -> None:
        self.settings = s = settings
        self.access, self.limits = access or Access(), limits or Limits()
        self.resume_at = 0.0  # no request before this time of the monotonic clock
        rate = min(s.shop_rate, self.limits.rate)
        self.concurrency = min(s.shop_concurrency, self.limits.concurrency)
        self.limiter = AsyncLimiter(max(rate, 1.0), max(1.0, 1.0 / rate))
        self.slots = asyncio.Semaphore(self.concurrency)
        self.retrying = AsyncRetrying(
            retry=retry_if_exception(failures.worth_retrying),
            wait=wait_random_exponential(multiplier=s.shop_backoff, max=LONGEST_BACKOFF),
            stop=stop_after_attempt(s.shop_tries),
            reraise=True,
        )

    async def __aenter__(self) -> Self:
        s = self.settings
        self.session = aiohttp.ClientSession(
            headers=self.access.headers(s) | {"Accept": "application/json"},
            connector=aiohttp.TCPConnector(limit=self.concurrency),
            timeout=aiohttp.ClientTimeout(total=s.shop_timeout),
            proxy=_proxy(s.shop_address),  # not trust_env: a .netrc would override the settings
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    async def fetch(self, request: Request, shape: TypeAdapter[Any]) -> Response:
        """Fetches a page, and returns its content, validated by `shape`; None for a response without content.

        Raises TransientError, after NIGHTSHELF_SHOP_TRIES tries, for temporary failures: 5xx, 429, an
        unreachable shop, incomplete JSON, a cost limit. Raises NightshelfError, naming page and field, for
        other statuses, for responses of another shape and for responses that are too large.
        """
        try:
            response: Response = await self.retrying(self._fetch, request, shape)
        except failures.KINDS as error:
            raise failures.explained(error, request.label, request.path, self.settings, self.access) from None
        return response

    async def _fetch(self, request: Request, shape: TypeAdapter[Any]) -> Response:
        async with self.slots:
            await self.limiter.acquire()
            while (seconds := self.resume_at - time.monotonic()) > 0:
                await asyncio.sleep(seconds)
            body, headers, next_url = await self._body(request)
        if body is None or (request.empty and body.strip() == EMPTY_LIST):
            return Response(None, headers, None)
        if any(body.count(sign) > most for sign, most in MOST.items()):
            raise NightshelfError(
                f"the shop's response to {request.label} holds more than {MOST[b'{']:,} objects or"
                f" {MOST[b',']:,} values: lower NIGHTSHELF_SHOP_PAGE_SIZE"
            )
        try:
            content = shape.validate_json(body)
        except ValidationError as error:
            if error.errors(include_input=False)[0]["type"] == "json_invalid":
                raise failures.InvalidJsonError from None
            raise
        if request.json is not None:
            self._wait(min(graphql.cost_wait(content), LONGEST_BACKOFF))
            graphql.check(content, self.access.settings)
        return Response(content, headers, next_url)

    async def _body(self, request: Request) -> tuple[bytes | None, Mapping[str, str], str | None]:
        async with self._send(request) as response:
            if response.status == OK:
                next_url = self._next_url(response, request)
                return await self._read(response, request), response.headers, next_url
            if response.status in request.empty:
                return None, response.headers, None
            if (seconds := self._requested_wait(response.headers)) > LONGEST_WAIT:
                raise TransientError(
                    f"the shop at {self.settings.shop_address} requests a wait of {seconds:.0f} s"
                    f" ({response.status}): repeat the run after that time"
                )
            self._wait(seconds)
            raise failures.StatusError(response.status)

    def _wait(self, seconds: float) -> None:
        """Holds back all further requests for some seconds."""
        self.resume_at = max(self.resume_at, time.monotonic() + seconds)

    def _send(self, request: Request) -> Any:
        if request.url:
            return self.session.get(request.url, allow_redirects=False)
        url = f"{self.settings.shop_address.rstrip('/')}{request.path}"
        if request.json is None:
            return self.session.get(url, params=request.query, allow_redirects=False)
        return self.session.post(url, json=request.json, params=request.query, allow_redirects=False)

    async def _read(self, response: aiohttp.ClientResponse, request: Request) -> bytes:
        """Returns the body; raises NightshelfError if it is larger than NIGHTSHELF_SHOP_RESPONSE_MB."""
        body = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK):
            body += chunk
            if len(body) > self.settings.shop_response_mb << 20:
                raise NightshelfError(
                    f"the shop's response to {request.label} is larger than"
                    f" {self.settings.shop_response_mb} MiB: lower NIGHTSHELF_SHOP_PAGE_SIZE, or raise"
                    " NIGHTSHELF_SHOP_RESPONSE_MB"
                )
        return bytes(body)

    def _next_url(self, response: aiohttp.ClientResponse, request: Request) -> str | None:
        """Returns the link to the next page, None without one.

        Raises NightshelfError if it is no address, or leads to another address than the shop's.
        """
        try:
            links: Any = response.links
            if (link := links.get("next", {}).get("url")) is None:
                return None
            url = urljoin(self.settings.shop_address, str(link))
            is_same_shop = _origin(url) == _origin(self.settings.shop_address)
        except ValueError:
            raise NightshelfError(
                f"the shop's response to {request.label} has a header Link that holds no"
                " address: correct it in the shop's API"
            ) from None
        if not is_same_shop:
            raise NightshelfError(
                f"the shop's response to {request.label} links to another address than NIGHTSHELF_SHOP_URL"
                f" ({self.settings.shop_address}), which would receive the credentials: set"
                " NIGHTSHELF_SHOP_URL to the address that the shop itself uses"
            )
        return url

    def _requested_wait(self, headers: Mapping[str, str]) -> float:
        """Returns the seconds to wait by Retry-After or by the shop's own header; 0 without either."""
        milliseconds = headers.get(self.limits.reset_ms, "") if self.limits.reset_ms else ""
        own = float(milliseconds) / 1000 if milliseconds.isdecimal() else 0.0
        return max(own, _retry_after(headers))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Returns scheme, host and port of an address; raises ValueError if it is none, or names a user."""
    parts = urlsplit(url)
    if parts.username is not None:
        raise ValueError("a user's name")
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default


def _proxy(url: str) -> str | None:
    """Returns the proxy that the environment configures for a URL."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def _retry_after(headers: Mapping[str, str]) -> float:
    """Returns the seconds to wait by Retry-After (RFC 9110, 10.2.3); 0 if it is missing or invalid."""
    value = headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    try:
        return (email.utils.parsedate_to_datetime(value) - dt.datetime.now(dt.UTC)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return 0.0
