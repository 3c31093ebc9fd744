"""The HTTP application: the route table, error responses and pages."""

import inspect
import logging
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from serving.access import rate
from serving.access.guard import Keyring
from serving.access.rate import RateLimiter
from serving.errors import Problem
from serving.http import endpoints, openapi, overview, pages, parsing, requests, writes
from serving.http.kept import KeptAnswers, LastingAnswer
from serving.http.operation import Operation
from serving.http.requests import RequestModel
from serving.http.turns import LongAnswer, Turns
from serving.http.webhooks import Webhooks
from serving.live.identity import AUTO, Pseudonymiser, rule_of
from serving.live.served import ServingState
from serving.observe import metrics
from serving.observe.masking import display_path

BATCH_PATH = "/v1/recommendations"
VERSION_HEADER = "Nightshelf-Model-Version"
KEY_NAME = "nightshelf.key"  # in the ASGI scope: the name of the request's API key, None without one
LONG_BODY = 10_000  # bytes; parsing them takes a few milliseconds at most


class IdConvertor(PathConvertor):
    """An id in a path. Unlike Starlette's own path convertor, it accepts newlines."""

    regex = r"[\s\S]*"


register_url_convertor("id", IdConvertor())

ROUTES = [
    Operation(
        "GET",
        "/v1/customers/{customer:id}/recommendations",
        requests.RecommendationsQuery,
        endpoints.recommendations,
    ),
    Operation("POST", BATCH_PATH, requests.BatchQuery, endpoints.of_many),
    Operation("POST", "/v1/cart/recommendations", requests.CartQuery, endpoints.cart_recommendations),
    Operation("GET", "/v1/customers/{customer:id}/history", requests.HistoryQuery, endpoints.history),
    Operation(
        "DELETE",
        "/v1/customers/{customer:id}",
        requests.ForgetRequest,
        writes.forget_customer,
        needs_model=False,
    ),
    Operation("GET", "/v1/products/{product:id}/similar", requests.RelatedQuery, endpoints.similar_products),
    Operation(
        "GET", "/v1/products/{product:id}/bought-together", requests.RelatedQuery, endpoints.bought_together
    ),
    Operation("PUT", "/v1/products/{product:id}", requests.ProductChange, writes.change_product),
    Operation("POST", "/v1/events", requests.Events, writes.add_events, needs_model=False),
    Operation(
        "POST",
        "/v1/orders/{profile}",
        requests.OrderWebhook,
        writes.receive_order,
        signed=True,
        needs_model=False,
    ),
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

SUBRESOURCES = tuple({route.path.rpartition("}")[2] for route in ROUTES if "}/" in route.path})

log = logging.getLogger(__name__)


class TrailingIdRoute(Route):
    """A route that ends in an id, such as /v1/customers/{customer}.

    The id may contain slashes, but the path must not end like a subresource (.../history). A request with
    another method does not match, not even partially.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Returns whether the route serves the path with this method, and the path parameters."""
        match, child_scope = super().matches(scope)
        # DELETE /v1/customers/7/history must not forget a customer called "7/history".
        is_match = match == Match.FULL and not scope["path"].endswith(SUBRESOURCES)
        return (match, child_scope) if is_match else (Match.NONE, {})


def create_app(
    state: ServingState,
    key: str,
    keyring: Keyring | None = None,
    extra_routes: Sequence[Route] = (),
    webhooks: Webhooks | None = None,
    event_limiter: RateLimiter | None = None,
) -> Starlette:
    """Returns the application that answers from a serving state.

    key: the secret key of the pseudonyms. keyring: the API keys that sign-in accepts.
    webhooks: those that are accepted; by default none. event_limiter: of each key's events.
    """
    webhooks, turns, kept = webhooks or Webhooks(), Turns(), KeptAnswers()
    routes = [_route(state, key, operation, webhooks, turns, kept, event_limiter) for operation in ROUTES]
    routes += [*pages.routes(openapi.document(ROUTES), keyring), *extra_routes]
    app = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _wrong_method})
    # The Location of a redirect would repeat the path, and the customer id in it.
    app.router.redirect_slashes = False
    return app


def _route(
    state: ServingState,
    key: str,
    operation: Operation,
    webhooks: Webhooks,
    turns: Turns,
    kept: KeptAnswers,
    event_limiter: RateLimiter | None,
) -> Route:
    method, path, model, endpoint, signed, needs_model = operation

    async def respond(request: Request) -> Response:
        try:
            served = state.current() or (None if needs_model else state.store_alone())
            if served is None:
                raise Problem(503, "no_model", f"no model is live: {state.reason}")
            # The bundle knows its customers by pseudonyms under its own rule; the first nightly run carries
            # over what was stored before under the default.
            identify = Pseudonymiser(key, rule_of(served.bundle.manifest) if served.bundle else AUTO)
            parsed = webhooks.parse(request, identify) if signed else _parse(request, model, identify, turns)
            query = await parsed
            if isinstance(query, requests.Events):
                name = request.scope.get(KEY_NAME) or ""
                rate.require(event_limiter, name, "the key, counted by event,", len(query.events))
            answer = endpoint(served, query)
            headers = {VERSION_HEADER: served.version} if served.version else None
            if isinstance(answer, LongAnswer):
                body = await turns.render(answer, metrics.count_answer, request.is_disconnected)
                return Response(body, headers=headers, media_type=JSONResponse.media_type)
            turns.note_short_request()
            if isinstance(answer, LastingAnswer):
                rendered = kept.render(answer)
                metrics.count(rendered.tally)
                return Response(rendered.body, headers=headers, media_type=JSONResponse.media_type)
            if inspect.isawaitable(answer):  # an endpoint that waits for a disk or a network is a coroutine
                answer = await answer
            metrics.count_answer(answer)
            return JSONResponse(answer, headers=headers)
        except ClientDisconnect:
            raise
        except Problem as problem:
            return JSONResponse(problem.body, problem.status, problem.headers)
        except Exception as error:
            log.error("%s failed: %s", display_path(path), _error_location(error))
            return JSONResponse(
                Problem(500, "internal", "the service failed; its log names the error").body, 500
            )

    return (TrailingIdRoute if path.endswith(":id}") else Route)(path, respond, methods=[method])


async def _parse(
    request: Request, model: type[RequestModel], identify: Pseudonymiser, turns: Turns
) -> RequestModel:
    if request.method not in openapi.BODY_METHODS:
        return parsing.from_url(model, request.path_params, request.query_params, identify)
    parsing.require_json(request.headers.get("content-type"))
    body = await request.body()
    parse = partial(parsing.from_body, model, body, identify)
    if request.method == "PUT":
        parse = partial(parsing.from_path_and_body, model, request.path_params, body, identify)
    return await turns.in_thread(parse) if len(body) > LONG_BODY else parse()


def _error_location(error: Exception) -> str:
    """Returns an error's type and origin, without its message, which may contain a customer id."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse(
        Problem(404, "not_found", "there is no such route; GET /docs lists the routes").body, 404
    )


async def _wrong_method(request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, HTTPException) else None
    problem = Problem(
        405, "method_not_allowed", "the route does not support this method; GET /docs lists the routes"
    )
    return JSONResponse(problem.body, problem.status, headers)
