"""The HTTP side: routes, errors and pages, over whatever is live."""

import inspect
import logging
import traceback
from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from serving.access.guard import Ring
from serving.errors import Problem
from serving.http import endpoints, openapi, overview, pages, parsing, requests, writes
from serving.http.operation import Operation
from serving.http.requests import RequestModel
from serving.live.served import Live
from serving.observe import metrics
from serving.observe.masking import template

MANY = "/v1/recommendations"
VERSION_HEADER = "Nightshelf-Model-Version"


class Anything(PathConvertor):
    """An id in a path, of any characters: Starlette's own takes no newline."""

    regex = r"[\s\S]*"


register_url_convertor("id", Anything())

ROUTES = [
    Operation(
        "GET",
        "/v1/customers/{customer:id}/recommendations",
        requests.RecommendationsQuery,
        endpoints.recommendations,
    ),
    Operation("POST", MANY, requests.BatchQuery, endpoints.of_many),
    Operation("POST", "/v1/cart/recommendations", requests.CartQuery, endpoints.cart_recommendations),
    Operation("GET", "/v1/customers/{customer:id}/history", requests.HistoryQuery, endpoints.history),
    Operation("DELETE", "/v1/customers/{customer:id}", requests.ForgetRequest, writes.forget_customer),
    Operation("GET", "/v1/products/{product:id}/similar", requests.RelatedQuery, endpoints.similar_products),
    Operation(
        "GET", "/v1/products/{product:id}/bought-together", requests.RelatedQuery, endpoints.bought_together
    ),
    Operation("PUT", "/v1/products/{product:id}", requests.ProductChange, writes.change_product),
    Operation("POST", "/v1/events", requests.Events, writes.add_events),
    Operation("GET", "/v1/popular", requests.PopularQuery, endpoints.popular),
    Operation("GET", "/v1/model", requests.RequestModel, endpoints.model),
    Operation("GET", "/v1/status", requests.RequestModel, overview.status),
    Operation("GET", "/v1/categories", requests.CategoriesQuery, overview.categories),
    Operation("GET", "/v1/shoppers", requests.RequestModel, overview.shoppers),
    Operation(
        "GET",
        "/users/{customer:id}/recommendations",
        requests.LegacyUserQuery,
        endpoints.user_recommendations,
    ),
    Operation(
        "GET", "/products/{product:id}/associations", requests.LegacyAssociationsQuery, endpoints.associations
    ),
    Operation("POST", "/reco", requests.LegacyRecoQuery, endpoints.reco),
]

ENDINGS = tuple({route.path.rpartition("}")[2] for route in ROUTES if "}/" in route.path})

log = logging.getLogger(__name__)


class Greedy(Route):
    """A route whose last parameter takes all that is left of a path, but for what are the endings of others.

    Of other methods it knows nothing.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the route has the path and the method."""
        found, more = super().matches(scope)
        # Who is forgotten by DELETE .../history would be another customer than was meant.
        is_own = found == Match.FULL and not scope["path"].endswith(ENDINGS)
        return (found, more) if is_own else (Match.NONE, {})


def create_app(live: Live, key: str, ring: Ring | None = None, others: Sequence[Route] = ()) -> Starlette:
    """The application that answers from `live`.

    key: the secret behind the pseudonyms. ring: of sign-in. others: more pages.
    """
    routes = [_route(live, key, operation) for operation in ROUTES]
    routes += [*pages.routes(openapi.document(ROUTES), ring), *others]
    app = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _wrong_method})
    # A redirect would write the path, and the customer in it, into an address.
    app.router.redirect_slashes = False
    return app


def _route(live: Live, key: str, operation: Operation) -> Route:
    method, path, kind, endpoint = operation

    async def respond(request: Request) -> Response:
        try:
            if (served := live.now()) is None:
                raise Problem(503, "no_model", f"no model is live: {live.reason}")
            asked = await _asked(request, kind, key)
            answer = endpoint(served, asked)
            if inspect.isawaitable(answer):  # it waits for a disk or a network; others are answered meanwhile
                answer = await answer
            metrics.answered(answer)
            return JSONResponse(answer, headers={VERSION_HEADER: served.version})
        except Problem as problem:
            return JSONResponse(problem.body, problem.status, problem.headers)
        except Exception as error:
            log.error("%s failed: %s", template(path), _cause(error))
            return JSONResponse(Problem(500, "internal", "the service failed; its log says where").body, 500)

    return (Greedy if path.endswith(":id}") else Route)(path, respond, methods=[method])


async def _asked(request: Request, kind: type[RequestModel], key: str) -> RequestModel:
    if request.method == "POST":
        return parsing.from_body(kind, await request.body(), key)
    if request.method == "PUT":
        return parsing.from_both(kind, request.path_params, await request.body(), key)
    return parsing.from_url(kind, request.path_params, request.query_params, key)


def _cause(error: Exception) -> str:
    """The kind of an error and its place, without its text, which may quote a customer."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse(Problem(404, "not_found", "there is no such route; GET /docs lists them").body, 404)


async def _wrong_method(request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, HTTPException) else None
    problem = Problem(405, "method_not_allowed", "the route has another method; GET /docs lists them")
    return JSONResponse(problem.body, problem.status, headers)
