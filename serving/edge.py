"""The outermost ASGI application: admits a request, limits its body, and records the answer.

BentoML's own routes go to BentoML, all others directly to the application. What BentoML would wrap around
them (metrics, access log, traces, timeout) takes longer than most answers; the edge does it faster.
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
from serving.access.origins import names
from serving.errors import Problem
from serving.http.routes import KEY_NAME, VERSION_HEADER
from serving.observe import access_log, metrics
from serving.observe.masking import BENTOML_ROUTES, route_template
from serving.settings import ServingSettings

UNRECORDED_ROUTES = ("/livez", "/readyz", "/healthz", "/metrics")  # probes, which would fill the log
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
REPORTS_PATH = "/nights"
BODY_TIMEOUT = 10.0  # seconds
MAX_HEADERS = 100
RAW_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
RAW_VERSION_HEADER = VERSION_HEADER.lower().encode()


@dataclass
class Record:
    """What metrics and the access log record of a request."""

    status: int = 0
    version: str | None = None
    key: str | None = None


class Edge:
    """Forwards admitted requests to BentoML or to the application, and answers all others itself."""

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
        """Handles one request, and counts and logs its answer."""
        if scope["type"] == "lifespan":
            await self.bento(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # there are no WebSocket routes
            await send({"type": "websocket.close"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, record = perf_counter(), Record()
        is_bentoml = scope["path"] in BENTOML_ROUTES
        route = scope["path"] if is_bentoml else route_template(self.routes, scope)

        async def recorded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note_start(record, message)
            await send(message)

        try:
            if len(scope["headers"]) > MAX_HEADERS:
                raise Problem(431, "too_many_headers", f"the request has more than {MAX_HEADERS} headers")
            record.key = self.guard.admit(scope, route)
            scope[KEY_NAME] = record.key
            buffered = await self._buffered(scope, receive)
            await (self.bento if is_bentoml else self.app)(scope, buffered, recorded_send)
        except Problem as problem:
            await _problem_response(problem, scope, route)(scope, receive, recorded_send)
        except ClientDisconnect:
            return
        if route not in UNRECORDED_ROUTES:
            self._record(scope["method"], route, record, perf_counter() - started)

    def _record(self, method: str, route: str, record: Record, seconds: float) -> None:
        method = method if method in METHODS else "other"
        metrics.count_request(route, method, record.status, seconds)
        if self.access_log:
            access_log.write(method, route, record.status, seconds, record.version, record.key)

    async def _buffered(self, scope: Scope, receive: Receive) -> Receive:
        """Reads the whole body and returns an ASGI `receive` that replays it; raises Problem 408 or 413.

        Returns `receive` itself for a request without a body.
        """
        if scope["method"] in ("GET", "HEAD"):
            return receive
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > self.body_limit:
            raise _too_large(self.body_limit)
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                return _replayed(await self._read_body(receive), receive)
        except TimeoutError:
            raise Problem(
                408, "timeout", f"body: it took more than {BODY_TIMEOUT:.0f} s to arrive: send it again"
            ) from None

    async def _read_body(self, receive: Receive) -> bytes:
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


def with_cors(app: ASGIApp, origins: str) -> ASGIApp:
    """Wraps the application so that browsers let pages of these origins use it.

    origins: separated by commas; if empty, the application is returned unchanged.
    """
    if not (allowed := names(origins)):
        return app
    return CORSMiddleware(
        app,
        allow_origins=allowed,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=[VERSION_HEADER, "Retry-After"],
    )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Returns an ASGI `receive` that replays a body that was read, then calls the original `receive`."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _problem_response(problem: Problem, scope: Scope, route: str) -> Response:
    """Returns a problem as JSON; a browser that opens a report without a key is sent to the sign-in page."""
    wants_page = "text/html" in Headers(scope=scope).get("accept", "")
    if problem.status == 401 and wants_page and route.startswith(REPORTS_PATH):
        return RedirectResponse("sign-in" if scope["path"] == REPORTS_PATH else "../sign-in", 303)
    return JSONResponse(problem.body, problem.status, problem.headers)


def _too_large(limit: int) -> Problem:
    return Problem(413, "too_large", f"body: it has more than {limit:,} bytes: split the request")


def _note_start(record: Record, message: Message) -> None:
    """Notes status and model version of a response, and adds the headers that every response has."""
    headers = message["headers"]
    record.status = message["status"]
    record.version = next((value.decode() for name, value in headers if name == RAW_VERSION_HEADER), None)
    message["headers"] = [*headers, *RAW_HEADERS]
