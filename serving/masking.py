"""Keeps customers out of BentoML's metrics, access log and traces, all of which record paths.

BentoML sees the template of a route, `/v1/customers/{customer}/recommendations`; what was asked
travels beside it and is put back in front of the routes.
"""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.api import template

ASKED = "nightshelf.asked"
BENTOML_OWN = ("/livez", "/readyz", "/healthz", "/metrics")
UNKNOWN = "/unknown"


class Mask:
    """The outermost application: everything inside it sees templates instead of paths."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.routes = [route for route in routes if isinstance(route, Route)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request as the application inside does, which is told the template alone."""
        if scope["type"] != "lifespan" and scope["path"] not in BENTOML_OWN:
            shown = self._template(scope)
            asked = {key: scope.get(key) for key in ("path", "raw_path", "query_string")}
            scope = {**scope, "path": shown, "raw_path": shown.encode(), "query_string": b"", ASKED: asked}
        await self.app(scope, receive, send)

    def _template(self, scope: Scope) -> str:
        matching = (route.path for route in self.routes if route.matches(scope)[0] != Match.NONE)
        return template(next(matching, UNKNOWN))


class Unmask:
    """The innermost application: it puts back what was asked."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request as the application inside does, which is told what was asked."""
        await self.app({**scope, **scope.get(ASKED, {})}, receive, send)
