"""The demo shop's REST API: pages of orders and of goods."""

import base64
import datetime as dt
import secrets
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import cast

import uvicorn
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.demo.dirt import Dirt
from pipelines.demo.faults import Faults, load
from pipelines.demo.feed import Goods, GoodsShelf, OrderFeed
from pipelines.demo.injection import FaultInjection, first_entry
from pipelines.demo.shop import Shop
from pipelines.settings import DEMO_DAYS, settings
from serving.errors import NightshelfError

PER_PAGE = 100
MAX_PER_PAGE = 1000
PUBLIC_PATH = "/health"

Today = Callable[[], dt.date]


class BasicAuth(AuthenticationBackend):
    """HTTP Basic authentication for a single user."""

    def __init__(self, user: str, password: str) -> None:
        """user, password: the only accepted credentials."""
        self._user = SimpleUser(user)
        self._token = base64.b64encode(f"{user}:{password}".encode())

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        """The user, or None for the public path; raises AuthenticationError for wrong credentials."""
        # The path that the router uses; conn.url is built from headers that the client controls.
        if conn.scope["path"] == PUBLIC_PATH:
            return None
        scheme, _, token = conn.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic" or not secrets.compare_digest(token.strip().encode(), self._token):
            raise AuthenticationError("user or password is wrong or missing")
        return AuthCredentials(), self._user


class Routes:
    """The handlers of requests for the orders up to yesterday (with `growth`, up to now) and for goods."""

    def __init__(self, shop: Shop, today: Today, faults: Faults) -> None:
        """Simulates the days up to yesterday."""
        dirt = Dirt(shop)
        self._start, self._today = shop.start, today
        self._feed, self._shelf = OrderFeed(shop, dirt, faults.quiet_days), GoodsShelf(shop, dirt)
        self._growth = faults.growth
        self._listed_today: Counter[int] = Counter()  # by day
        self._feed.count(self._day())

    def _day(self) -> int:
        """Today's number, which is also the number of completed days."""
        return (self._today() - self._start).days

    async def health(self, _: Request) -> Response:
        """Reports that the server is up."""
        return JSONResponse({"status": "ok"})

    async def orders(self, request: Request) -> Response:
        """A page of the orders, ascending by time; with `since`, only of those from that instant on."""
        count, since = self._count(), _since(request)
        indices = range(count) if since is None else self._feed.since(since, count)
        start, stop, pages = _page(request, len(indices))
        orders = self._feed.json(indices[start:stop], basket=request.query_params.get("expand") == "basket")
        return Response(b'{"orders": %b, "pageCount": %d}' % (orders, pages), media_type="application/json")

    def _count(self) -> int:
        """How many orders are listed: all up to yesterday, and with `growth` more of today's per request."""
        day = self._day()
        completed = self._feed.count(day)
        if not self._growth:
            return completed
        self._listed_today[day] += self._growth
        return min(completed + self._listed_today[day], self._feed.count(day + 1))

    async def goods(self, request: Request) -> Response:
        """A page of the goods, with `category` and `brand` only of those."""
        goods = [article for article in self._shelf.on(self._day()) if _matches(article, request)]
        start, stop, pages = _page(request, len(goods))
        return JSONResponse({"goods": goods[start:stop], "pageCount": pages})

    async def article(self, request: Request) -> Response:
        """The article with the id in the path; 404 if there is none."""
        for article in self._shelf.on(self._day()):
            if article["id"] == request.path_params["id"]:
                return JSONResponse(article)
        raise HTTPException(404, "no goods have this id")


def _page(request: Request, total: int) -> tuple[int, int, int]:
    """Start and stop index of the requested page, and the number of pages."""
    page, per_page = (
        _positive(request, "page", 1),
        min(_positive(request, "per-page", PER_PAGE), MAX_PER_PAGE),
    )
    start = first_entry(request, (page - 1) * per_page, per_page, total)
    return start, min(start + per_page, total), -(-total // per_page)


def _positive(request: Request, name: str, default: int) -> int:
    try:
        number = int(request.query_params.get(name, default))
    except ValueError:
        number = 0
    if number < 1:
        raise HTTPException(400, f"{name} must be a whole number of at least 1")
    return number


def _since(request: Request) -> dt.datetime | None:
    if (text := request.query_params.get("since")) is None:
        return None
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError:
        instant = dt.datetime.min
    if instant.tzinfo is None:
        raise HTTPException(400, "since must be an instant as 2026-01-31T00:00:00Z")
    return instant


def _matches(article: Goods, request: Request) -> bool:
    category, brand = (request.query_params.get(name) for name in ("category", "brand"))
    return category in (None, article["category"]) and brand in (None, article["brand"])


def _refused(_: HTTPConnection, error: Exception) -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="demo shop"'}
    return JSONResponse({"error": str(error)}, status_code=401, headers=headers)


def _failed(_: Request, error: Exception) -> Response:
    failure = cast(HTTPException, error)
    body = {"error": failure.detail}
    return JSONResponse(body, status_code=failure.status_code, headers=failure.headers)


def app(shop: Shop, user: str, password: str, today: Today, faults: Faults | None = None) -> Starlette:
    """The shop's API for a single user; today: returns the current date (UTC); faults: faults to inject."""
    routes = Routes(shop, today, faults or Faults())
    auth = Middleware(AuthenticationMiddleware, backend=BasicAuth(user, password), on_error=_refused)
    injection = [Middleware(FaultInjection, faults=faults)] if faults else []
    return Starlette(
        routes=[
            Route("/health", routes.health),
            Route("/orders", routes.orders),
            Route("/goods", routes.goods),
            Route("/goods/{id}", routes.article),
        ],
        middleware=[auth, *injection],
        exception_handlers={HTTPException: _failed},
    )


def serve(faults: Path | None = None) -> None:
    """Runs the API with the settings, and with the faults of a TOML file.

    Raises NightshelfError if the password isn't set or the file is invalid.
    """
    chosen = settings()
    password = chosen.shop_password.get_secret_value()
    if not password:
        raise NightshelfError(
            "NIGHTSHELF_SHOP_PASSWORD is not set: set it, or run `nightshelf init` to write a .env"
        )
    shop = Shop(start=chosen.demo_start or _today() - dt.timedelta(days=DEMO_DAYS))
    api = app(shop, chosen.shop_user, password, _today, load(faults) if faults else None)
    uvicorn.run(api, host=chosen.host, port=chosen.shop_port, access_log=False)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
