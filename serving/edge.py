"""The outermost application: who may ask, how much at once, and what is told of it afterwards.

BentoML's own routes go to BentoML, all others straight to the application: what BentoML would wrap around
them (its metrics, access log, traces and timer) takes longer than most answers, and here is what they give.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access.guard import Guard
from serving.errors import Problem
from serving.http.routes import VERSION_HEADER
from serving.observe import access_log, metrics
from serving.observe.masking import BENTOML_OWN, template_of
from serving.settings import ServingSettings

QUIET = ("/livez", "/readyz", "/healthz", "/metrics")  # machines ask them all day long
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
NIGHTS = "/nights"
PATIENCE = 10.0  # seconds that a body may take
HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
VERSION = VERSION_HEADER.lower().encode()


@dataclass
class Seen:
    """What is told of a request."""

    status: int = 0
    version: str | None = None
    key: str | None = None


class Edge:
    """Answers one request by BentoML or the application, if the guard lets it in."""

    def __init__(
        self,
        app: ASGIApp,
        bento: ASGIApp,
        routes: Sequence[BaseRoute],
        guard: Guard,
        settings: ServingSettings,
    ) -> None:
        self.app = app
        self.bento = bento
        self.routes = routes
        self.guard = guard
        self.body_limit = settings.body_limit
        self.access_log = settings.access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, and counts and logs the answer."""
        if scope["type"] == "lifespan":
            await self.bento(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # there is nothing to ask over a WebSocket
            await send({"type": "websocket.close"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, seen = perf_counter(), Seen()
        own = scope["path"] in BENTOML_OWN
        route = scope["path"] if own else template_of(self.routes, scope)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note(seen, message)
            await send(message)

        try:
            seen.key = self.guard.admit(scope, route)
            received = await self._received(scope, receive)
            await (self.bento if own else self.app)(scope, received, tell)
        except Problem as problem:
            await _told(problem, scope, route)(scope, receive, tell)
        except ClientDisconnect:
            return
        if route not in QUIET:
            self._record(scope["method"], route, seen, perf_counter() - started)

    def _record(self, method: str, route: str, seen: Seen, seconds: float) -> None:
        method = method if method in METHODS else "other"
        metrics.requested(route, method, seen.status, seconds)
        if self.access_log:
            access_log.write(method, route, seen.status, seconds, seen.version, seen.key)

    async def _received(self, scope: Scope, receive: Receive) -> Receive:
        """What gives a request's body, which is here whole; raises Problem 408 or 413."""
        if scope["method"] in ("GET", "HEAD"):
            return receive
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told) > self.body_limit:
            raise _too_large(self.body_limit)
        try:
            async with asyncio.timeout(PATIENCE):
                return _again(await self._body(receive), receive)
        except TimeoutError:
            raise Problem(408, "timeout", f"body: it took more than {PATIENCE:.0f} s to come") from None

    async def _body(self, receive: Receive) -> bytes:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > self.body_limit:
                raise _too_large(self.body_limit)
            more = message.get("more_body", False)
        return bytes(body)


def shared(app: ASGIApp, origins: str) -> ASGIApp:
    """An application that browsers let the pages of some origins ask, named with commas between; if any."""
    named = [origin.strip() for origin in origins.split(",") if origin.strip()]
    if not named:
        return app
    return CORSMiddleware(
        app,
        allow_origins=named,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=[VERSION_HEADER, "Retry-After"],
    )


def _again(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was received, then whatever follows it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received


def _told(problem: Problem, scope: Scope, route: str) -> Response:
    """What a problem is answered with; who opens a page without a key is led to where one is asked for."""
    asks_for_page = "text/html" in Headers(scope=scope).get("accept", "")
    if problem.status == 401 and asks_for_page and route.startswith(NIGHTS):
        return RedirectResponse("sign-in" if scope["path"] == NIGHTS else "../sign-in", 303)
    return JSONResponse(problem.body, problem.status, problem.headers)


def _too_large(limit: int) -> Problem:
    return Problem(413, "too_large", f"body: it has more than {limit:,} bytes")


def _note(seen: Seen, message: Message) -> None:
    headers = message["headers"]
    seen.status = message["status"]
    seen.version = next((value.decode() for name, value in headers if name == VERSION), None)
    message["headers"] = [*headers, *HEADERS]
