"""An HTTP client for an ASGI application in this process."""

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp


class Client:
    """Sends one request at a time, without a server; Starlette's test client needs one more package."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> httpx.Response:
        return self.request("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._request(method, path, options))

    async def _request(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shelf") as client:
            return await client.request(method, path, **options)
