"""The HTTP side: routes, errors and the index page, over whatever is live."""

import logging
import traceback
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from serving import endpoints, questions
from serving.live import Live, Served
from serving.questions import Problem, Question

VERSION_HEADER = "Nightshelf-Model-Version"

Row = tuple[str, str, type[Question], Callable[[Served, Any], Any]]

ROUTES: list[Row] = [
    (
        "GET",
        "/v1/customers/{customer:path}/recommendations",
        questions.Recommendations,
        endpoints.recommendations,
    ),
    ("POST", "/v1/recommendations", questions.OfMany, endpoints.of_many),
    ("POST", "/v1/cart/recommendations", questions.WithCart, endpoints.cart_recommendations),
    ("GET", "/v1/products/{product:path}/similar", questions.Related, endpoints.similar_products),
    ("GET", "/v1/products/{product:path}/bought-together", questions.Related, endpoints.bought_together),
    ("GET", "/v1/popular", questions.Popular, endpoints.popular),
    ("GET", "/v1/model", questions.Question, endpoints.model),
    ("GET", "/users/{customer:path}/recommendations", questions.OfUser, endpoints.user_recommendations),
    ("GET", "/products/{product:path}/associations", questions.OfProduct, endpoints.associations),
    ("POST", "/reco", questions.Reco, endpoints.reco),
]

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Nightshelf</title>
<h1>Nightshelf</h1>
<p>{state}</p>
<table>{rows}</table>
<p><a href="livez">livez</a> <a href="readyz">readyz</a> <a href="metrics">metrics</a></p>
</html>
"""

log = logging.getLogger(__name__)


def create_app(live: Live, key: str) -> Starlette:
    """The application that answers from `live`; key: the secret behind the pseudonyms."""
    routes = [_route(live, key, *row) for row in ROUTES]
    app = Starlette(
        routes=[*routes, Route("/", _index(live))], exception_handlers={404: _not_found, 405: _wrong_method}
    )
    # A redirect would write the path, and the customer in it, into an address.
    app.router.redirect_slashes = False
    return app


def template(path: str) -> str:
    """A route's path as it is shown: without the types of its parameters."""
    return path.replace(":path}", "}")


def _route(
    live: Live, key: str, method: str, path: str, kind: type[Question], endpoint: Callable[[Served, Any], Any]
) -> Route:
    async def respond(request: Request) -> Response:
        try:
            if (served := live.served) is None:
                raise Problem(503, "no_model", f"no model is live: {live.reason}")
            asked = await _asked(request, kind, key)
            return JSONResponse(endpoint(served, asked), headers={VERSION_HEADER: served.version})
        except Problem as problem:
            return JSONResponse(problem.body, problem.status)
        except Exception as error:
            log.error("%s failed: %s", template(path), _cause(error))
            return JSONResponse(Problem(500, "internal", "the service failed; its log says where").body, 500)

    return Route(path, respond, methods=[method])


async def _asked(request: Request, kind: type[Question], key: str) -> Question:
    if request.method == "POST":
        return questions.from_body(kind, await request.body(), key)
    return questions.from_url(kind, request.path_params, request.query_params, key)


def _cause(error: Exception) -> str:
    """The kind of an error and its place, without its text, which may quote a customer."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse(Problem(404, "not_found", "there is no such route; GET / lists them").body, 404)


async def _wrong_method(request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, HTTPException) else None
    problem = Problem(405, "method_not_allowed", "the route has another method; GET / lists them")
    return JSONResponse(problem.body, problem.status, headers)


def _index(live: Live) -> Callable[[Request], Any]:
    rows = "".join(
        f"<tr><td>{method}<td><code>{template(path)}</code><td>{escape(endpoint.__doc__ or '')}"
        for method, path, _, endpoint in ROUTES
    )

    async def index(request: Request) -> Response:
        served = live.served
        state = (
            f"Version {served.version} of the model is live."
            if served
            else f"No model is live: {live.reason}."
        )
        return HTMLResponse(PAGE.format(state=escape(state), rows=rows))

    return index
