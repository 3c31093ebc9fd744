"""Between Mask and Unmask, requests show templates; inside, they show the original path and query."""

import bundles
import pytest
from clients import Client
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http.routes import create_app
from serving.live.served import ServingState
from serving.observe.masking import Mask, Unmask


class Spy:
    """Records what a tracing middleware would see."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.seen: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen = [f"{scope['path']} {scope['raw_path']!r} {scope['query_string']!r}"]
        await self.app(scope, receive, send)


@pytest.fixture
def spy(live: ServingState) -> Spy:
    return Spy(Unmask(create_app(live, bundles.KEY)))


@pytest.fixture
def client(spy: Spy, live: ServingState) -> Client:
    return Client(Mask(spy, create_app(live, bundles.KEY).routes))


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/customers/+7(916)539-6205/recommendations?n=2", "/v1/customers/{customer}/recommendations"),
        ("/users/79165396205/recommendations", "/users/{customer}/recommendations"),
        ("/v1/products/tea-1/similar?n=1", "/v1/products/{product}/similar"),
        ("/v1/popular?days=7", "/v1/popular"),
        ("/", "/"),
    ],
)
def test_shows_a_route_s_template(spy: Spy, client: Client, path: str, template: str) -> None:
    assert client.get(path).status_code == 200
    assert spy.seen == [f"{template} {template.encode()!r} b''"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/customers/79165396205",
        "/79165396205?customer=79165396205",
        "/v1/customers/79165396205/recommendations/",
    ],
)
def test_shows_unknown_for_other_paths(spy: Spy, client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
    assert spy.seen == ["/unknown b'/unknown' b''"]


def test_masks_a_request_with_the_wrong_method(spy: Spy, client: Client) -> None:
    assert client.post("/users/79165396205/recommendations").status_code == 405
    assert spy.seen[0].startswith("/users/{customer}/recommendations ")


def test_the_route_gets_the_original_parameters(client: Client) -> None:
    answer = client.get("/v1/customers/79165396205/recommendations?n=2&category=tea").json()
    assert [item["product"] for item in answer["items"]] == ["tea-1", "tea-2"]
