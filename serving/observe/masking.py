"""Keeps customers out of metrics, the access log and traces by replacing a request's path with its template.

Code between `Mask` and `Unmask` sees `/v1/customers/{customer}/recommendations` and no query string; the
original path travels in the ASGI scope and is restored before routing.
"""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

ORIGINAL = "nightshelf.original"
BENTOML_ROUTES = ("/livez", "/readyz", "/healthz", "/metrics", "/schema.json")
UNKNOWN = "/unknown"


class Mask:
    """ASGI middleware that shows the wrapped application a route's template in place of the path."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] == "http":
            shown = route_template(self.routes, scope)
            original = {key: scope.get(key) for key in ("path", "raw_path", "query_string")}
            masked = {"path": shown, "raw_path": shown.encode(), "query_string": b"", ORIGINAL: original}
            scope = {**scope, **masked}
        await self.app(scope, receive, send)


class Unmask:
    """ASGI middleware that restores the path and the query string that `Mask` replaced."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        await self.app({**scope, **scope.get(ORIGINAL, {})}, receive, send)


def route_template(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """Returns the template of a request's route, whatever the method; `/unknown` if no route matches."""
    for route in routes:
        if isinstance(route, Route) and route.matches(scope)[0] != Match.NONE:
            return display_path(route.path)
    return UNKNOWN


def display_path(path: str) -> str:
    """Returns a route's path without the types of its parameters: `{customer:id}` becomes `{customer}`."""
    return path.replace(":id}", "}")
