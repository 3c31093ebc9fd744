"""A proxy before a shop that fails as networks and servers do: a share of the requests, drawn from a seed."""

import asyncio
import contextlib
from random import Random

import httpx

# The share of requests with each fault, unless the proxy is calm.
SHARES = {"server_error": 0.04, "too_many": 0.01, "slow": 0.005, "reset": 0.03, "truncated": 0.03}
SLOW_SECONDS = 3.0  # more than the client waits
DROPPED = {"content-length", "transfer-encoding", "content-encoding", "connection", "keep-alive", "date"}


class FaultyProxy:
    """An ASGI application that forwards each request to a shop."""

    def __init__(self, url: str, seed: int) -> None:
        self.url, self.rng = url, Random(seed)
        self.calm = True
        self.faults: dict[str, int] = {}
        self.requests = 0

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        body = await _body(receive)
        fault = self._draw()
        if fault == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if fault in ("server_error", "too_many"):
            status = 503 if fault == "server_error" else 429
            await _send(send, status, [(b"retry-after", b"1")] if status == 429 else [], b"")
            return
        response = await self._forward(scope, body)
        headers = [(k, v) for k, v in response.headers.raw if k.decode().lower() not in DROPPED]
        if fault in ("reset", "truncated"):
            await _break(send, response, headers, fault)
        else:
            await _send(send, response.status_code, headers, response.content)

    def _draw(self) -> str | None:
        self.requests += 1
        if self.calm:
            return None
        rest = 1 - sum(SHARES.values())
        fault = self.rng.choices([*SHARES, None], [*SHARES.values(), rest])[0]
        if fault:
            self.faults[fault] = self.faults.get(fault, 0) + 1
        return fault

    async def _forward(self, scope, body) -> httpx.Response:
        url = f"{self.url}{scope['raw_path'].decode()}?{scope['query_string'].decode()}"
        headers = [(name, value) for name, value in scope["headers"] if name not in (b"host", b"connection")]
        async with httpx.AsyncClient(timeout=120, trust_env=False) as client:
            return await client.request(scope["method"], url.rstrip("?"), headers=headers, content=body)


async def _body(receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _send(send, status, headers, body) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _break(send, response, headers, fault) -> None:
    """Sends half of a body; with a reset the announced length is that of the whole."""
    half = response.content[: len(response.content) // 2]
    if fault == "truncated":
        await _send(send, response.status_code, headers, half)
        return
    length = (b"content-length", str(len(response.content)).encode())
    await send({"type": "http.response.start", "status": response.status_code, "headers": [*headers, length]})
    with contextlib.suppress(Exception):
        await send({"type": "http.response.body", "body": half, "more_body": True})
    raise ConnectionResetError("the proxy breaks the connection")
