"""The demo shop's REST API: orders page by page, and goods."""

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
MOST_PER_PAGE = 1000
OPEN_TO_ALL = "/health"

Today = Callable[[], dt.date]


class BasicAuth(AuthenticationBackend):
    """Lets one user in, by HTTP Basic authentication."""

    def __init__(self, user: str, password: str) -> None:
        """Keeps what the right header holds."""
        self._user = SimpleUser(user)
        self._token = base64.b64encode(f"{user}:{password}".encode())

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        """The user, or nobody where everybody may go; raises AuthenticationError otherwise."""
        # The path that the router goes by; conn.url is put together from what the caller writes.
        if conn.scope["path"] == OPEN_TO_ALL:
            return None
        scheme, _, token = conn.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic" or not secrets.compare_digest(token.strip().encode(), self._token):
            raise AuthenticationError("user or password is wrong or missing")
        return AuthCredentials(), self._user


class Routes:
    """The handlers: all that happened from the shop's start up to yesterday, and today's where it grows."""

    def __init__(self, shop: Shop, today: Today, faults: Faults) -> None:
        """Simulates the days so far."""
        dirt = Dirt(shop)
        self._start, self._today = shop.start, today
        self._feed, self._shelf = OrderFeed(shop, dirt, faults.quiet_days), GoodsShelf(shop, dirt)
        self._growth = faults.growth
        self._grown: Counter[int] = Counter()
        self._feed.count(self._day())

    def _day(self) -> int:
        """Today's number, which is also how many days are over."""
        return (self._today() - self._start).days

    async def health(self, _: Request) -> Response:
        """Says that the shop is open."""
        return JSONResponse({"status": "ok"})

    async def orders(self, request: Request) -> Response:
        """A page of orders, ascending by time; of those since an instant if asked."""
        count, since = self._count(), _since(request)
        places = range(count) if since is None else self._feed.since(since, count)
        start, stop, pages = _page(request, len(places))
        orders = self._feed.json(places[start:stop], basket=request.query_params.get("expand") == "basket")
        return Response(b'{"orders": %b, "pageCount": %d}' % (orders, pages), media_type="application/json")

    def _count(self) -> int:
        """How many orders are listed: those up to yesterday, and more of today's with each request."""
        day = self._day()
        over = self._feed.count(day)
        if not self._growth:
            return over
        self._grown[day] += self._growth
        return min(over + self._grown[day], self._feed.count(day + 1))

    async def goods(self, request: Request) -> Response:
        """A page of goods, of one category or brand if asked."""
        goods = [article for article in self._shelf.on(self._day()) if _wanted(article, request)]
        start, stop, pages = _page(request, len(goods))
        return JSONResponse({"goods": goods[start:stop], "pageCount": pages})

    async def article(self, request: Request) -> Response:
        """One of the goods."""
        for article in self._shelf.on(self._day()):
            if article["id"] == request.path_params["id"]:
                return JSONResponse(article)
        raise HTTPException(404, "no goods have this id")


def _page(request: Request, total: int) -> tuple[int, int, int]:
    """First position, the one after the last, and how many pages there are."""
    page, per_page = _whole(request, "page", 1), min(_whole(request, "per-page", PER_PAGE), MOST_PER_PAGE)
    start = first_entry(request, (page - 1) * per_page, per_page, total)
    return start, min(start + per_page, total), -(-total // per_page)


def _whole(request: Request, name: str, default: int) -> int:
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


def _wanted(article: Goods, request: Request) -> bool:
    category, brand = (request.query_params.get(name) for name in ("category", "brand"))
    return category in (None, article["category"]) and brand in (None, article["brand"])


def _refused(_: HTTPConnection, error: Exception) -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="demo shop"'}
    return JSONResponse({"error": str(error)}, status_code=401, headers=headers)


def _failed(_: Request, error: Exception) -> Response:
    told = cast(HTTPException, error)
    return JSONResponse({"error": told.detail}, status_code=told.status_code, headers=told.headers)


def app(shop: Shop, user: str, password: str, today: Today, faults: Faults | None = None) -> Starlette:
    """The API of a shop on the day that `today` tells (UTC), open to this user alone; faulty if asked."""
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
    """Runs the API as the settings say, with a file's faults; raises NightshelfError if either is wrong."""
    given = settings()
    password = given.shop_password.get_secret_value()
    if not password:
        raise NightshelfError(
            "NIGHTSHELF_SHOP_PASSWORD is not set: set it, or let `nightshelf init` write a .env"
        )
    shop = Shop(start=given.demo_start or _today() - dt.timedelta(days=DEMO_DAYS))
    api = app(shop, given.shop_user, password, _today, load(faults) if faults else None)
    uvicorn.run(api, host=given.host, port=given.shop_port, access_log=False)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
