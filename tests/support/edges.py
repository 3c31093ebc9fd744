"""An application behind the edge, in this process."""

from pathlib import Path
from typing import Any

import bundles
import httpx
from clients import Client
from starlette.responses import PlainTextResponse

from serving.access.guard import Guard
from serving.edge import Edge, with_cors
from serving.http.routes import create_app
from serving.live.served import ServingState
from serving.settings import ServingSettings

HOST = "http://127.0.0.1"


class EdgeClient(Client):
    """Sends requests as from this machine."""

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return super().request(method, path if path.startswith("http") else HOST + path, **options)


def edge_client(
    state: ServingState, keys: Path, rate: float = 0, origins: str = "", **settings: Any
) -> EdgeClient:
    """Returns a client of the application behind the edge; BentoML's routes answer "BentoML"."""
    app = create_app(state, bundles.KEY)
    guard = Guard(keys, rate)
    edge = Edge(app, PlainTextResponse("BentoML"), app.routes, guard, ServingSettings(**settings))
    return EdgeClient(with_cors(edge, origins))


def bearer(secret: str) -> dict[str, dict[str, str]]:
    """Returns the options of a request that sends an API key."""
    return {"headers": {"Authorization": f"Bearer {secret}"}}
