"""Keeps customers out of metrics, access log and traces: they are told templates in place of paths.

What records a request sees the template of its route, `/v1/customers/{customer}/recommendations`; what was
asked travels beside it and is put back in front of the routes.
"""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

ASKED = "nightshelf.asked"
BENTOML_OWN = ("/livez", "/readyz", "/healthz", "/metrics", "/schema.json")
UNKNOWN = "/unknown"


class Mask:
    """An application that is told the template of a path, and gives on what it is told."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request as the application inside does, which is told the template alone."""
        if scope["type"] == "http":
            shown = template_of(self.routes, scope)
            asked = {key: scope.get(key) for key in ("path", "raw_path", "query_string")}
            scope = {**scope, "path": shown, "raw_path": shown.encode(), "query_string": b"", ASKED: asked}
        await self.app(scope, receive, send)


class Unmask:
    """The innermost application: it puts back what was asked."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request as the application inside does, which is told what was asked."""
        await self.app({**scope, **scope.get(ASKED, {})}, receive, send)


def template_of(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """The template of the route that a request is for, whatever its method; `/unknown` for none."""
    for route in routes:
        if isinstance(route, Route) and route.matches(scope)[0] != Match.NONE:
            return template(route.path)
    return UNKNOWN


def template(path: str) -> str:
    """A route's path as it is shown: without the types of its parameters."""
    return path.replace(":id}", "}")
