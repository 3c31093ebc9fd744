"""An application behind the edge, in this process."""

from pathlib import Path
from typing import Any

import bundles
import httpx
from clients import Client
from starlette.responses import PlainTextResponse

from serving.access.guard import Guard
from serving.edge import Edge, shared
from serving.http.routes import create_app
from serving.live.served import Live
from serving.settings import ServingSettings

HOST = "http://127.0.0.1"


class Edged(Client):
    """Asks an application behind the edge, as from this machine."""

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return super().request(method, path if path.startswith("http") else HOST + path, **options)


def edged(live: Live, keys: Path, rate: float = 0, origins: str = "", **settings: Any) -> Edged:
    """The application over `live`, with a stand-in for BentoML's that says so."""
    app = create_app(live, bundles.KEY)
    guard = Guard(keys, rate)
    edge = Edge(app, PlainTextResponse("BentoML"), app.routes, guard, ServingSettings(**settings))
    return Edged(shared(edge, origins))


def bearer(secret: str) -> dict[str, dict[str, str]]:
    """The options of a request that sends a key."""
    return {"headers": {"Authorization": f"Bearer {secret}"}}
