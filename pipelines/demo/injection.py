"""Middleware that injects the demo shop's faults into its responses."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from itertools import count

import numpy as np
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.demo.faults import Faults

FAULTY = ("/orders", "/goods")
MAX_SHIFT = 3
NO_JSON = b"<html><body>We'll be right back.</body></html>"

Random = np.random.Generator
Move = Callable[[int, int, int], int]


class FaultInjection:
    """ASGI middleware; the seed and the number of a request for orders or goods determine its fault."""

    def __init__(self, app: ASGIApp, faults: Faults, paths: tuple[str, ...] = FAULTY) -> None:
        """paths: the beginnings of the paths whose responses may have a fault."""
        self._app, self._faults, self._paths, self._numbers = app, faults, paths, count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the correct response, or one with a fault."""
        if scope["type"] != "http" or not scope["path"].startswith(self._paths):
            await self._app(scope, receive, send)
            return
        rng = np.random.default_rng((self._faults.seed, next(self._numbers)))
        kind = self._faults.kind(rng)
        await asyncio.sleep(self._faults.latency + (self._faults.slow_seconds if kind == "slow" else 0))
        await self._faulty(kind, rng)(scope, receive, send)

    def _faulty(self, kind: str | None, rng: Random) -> ASGIApp:
        """The application that responds with a kind of fault; None: without a fault."""
        match kind:
            case "server_error":
                return JSONResponse({"error": "a fault on purpose"}, 500)
            case "too_many":
                headers = {"Retry-After": str(self._faults.retry_after)}
                return JSONResponse({"error": "too many requests"}, 429, headers)
            case "duplicated":
                return partial(_moved, self._app, partial(_another_page, rng))
            case "shifted":
                return partial(_moved, self._app, partial(_shift, rng))
            case "reset":
                return partial(_broken, self._app)
            case "truncated":
                return partial(_altered, self._app, _half)
            case "malformed":
                return partial(_altered, self._app, lambda body: NO_JSON)
            case "wrong_type":
                return partial(_altered, self._app, partial(_mistyped, rng))
        return self._app


def first_entry(request: Request, start: int, size: int, total: int) -> int:
    """The index of a page's first entry: `start`, or another if a fault moves the page."""
    move: Move | None = getattr(request.state, "move", None)
    return move(start, size, total) if move else start


async def _moved(app: ASGIApp, move: Move, scope: Scope, receive: Receive, send: Send) -> None:
    scope.setdefault("state", {})["move"] = move
    await app(scope, receive, send)


def _another_page(rng: Random, start: int, size: int, total: int) -> int:
    others = [other for other in range(0, total, size) if other != start]
    return int(rng.choice(others)) if others else start


def _shift(rng: Random, start: int, size: int, total: int) -> int:
    step = int(rng.integers(1, MAX_SHIFT, endpoint=True))
    forward = start < step or rng.random() < 0.5
    return start + step if forward else start - step


async def _broken(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends half of the body: the server closes the connection, as the body is shorter than announced."""
    start, body = await _response(app, scope, receive)
    await send(start)
    await send({"type": "http.response.body", "body": _half(body), "more_body": True})


async def _altered(
    app: ASGIApp, alter: Callable[[bytes], bytes], scope: Scope, receive: Receive, send: Send
) -> None:
    start, body = await _response(app, scope, receive)
    body = alter(body)
    MutableHeaders(raw=start["headers"])["Content-Length"] = str(len(body))
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def _response(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """The start message and the body of the correct response."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    return messages[0], b"".join(message["body"] for message in messages[1:])


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _mistyped(rng: Random, body: bytes) -> bytes:
    """The JSON with one field of the wrong type: text for a list, or a list for a single value."""
    page = json.loads(body)
    records = [page, *page.get("orders", []), *page.get("goods", [])]
    record = records[rng.integers(len(records))]
    field = list(record)[rng.integers(len(record))]
    record[field] = str(record[field]) if isinstance(record[field], list) else [record[field]]
    return json.dumps(page).encode()
