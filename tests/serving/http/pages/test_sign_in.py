"""Sign-in without a browser: the cookie, and which requests it authorises."""

from pathlib import Path

import bundles
import httpx
import pytest
from clients import Client
from edges import HOST, EdgeClient
from starlette.responses import PlainTextResponse

from serving.access import guard, keys
from serving.access.guard import Guard
from serving.edge import Edge
from serving.http.routes import create_app
from serving.live.served import ServingState
from serving.settings import ServingSettings

SAME_ORIGIN = {"Origin": HOST}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def secret(file: Path) -> str:
    return keys.add(file, "boss", "write")


@pytest.fixture
def client(live: ServingState, file: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(guard, "CHECK_SECONDS", 0)
    key_guard = Guard(file, 0)
    app = create_app(live, bundles.KEY, key_guard.keyring)
    return EdgeClient(Edge(app, PlainTextResponse("BentoML"), app.routes, key_guard, ServingSettings()))


def sign_in(client: Client, key: str, **headers: str) -> httpx.Response:
    return client.post("/sign-in", data={"key": key}, headers={**SAME_ORIGIN, **headers})


def with_cookie(secret: str, **headers: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Cookie": f"other=1; nightshelf_key={secret}", **headers}}


def test_a_known_key_is_stored_in_a_cookie_that_scripts_cannot_read(client: Client, secret: str) -> None:
    response = sign_in(client, f" {secret} ")
    assert (response.status_code, response.headers["Location"]) == (303, "./")
    assert response.headers["Set-Cookie"] == f"nightshelf_key={secret}; HttpOnly; Path=/; SameSite=strict"


def test_over_https_the_cookie_is_secure(client: Client, secret: str) -> None:
    cookie = sign_in(client, secret, **{"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]
    assert cookie.endswith("; Secure")


@pytest.mark.parametrize("key", ["", "nonsense", "<script>", "ключ"])
def test_an_unknown_key_is_rejected_and_not_repeated(client: Client, secret: str, key: str) -> None:
    response = sign_in(client, key)
    assert response.status_code == 401
    assert "Set-Cookie" not in response.headers
    assert "This API key is unknown" in response.text
    assert key == "" or key not in response.text


def test_the_page_says_if_no_key_is_needed(client: Client) -> None:
    assert "You don't need an API key" in client.get("/sign-in").text
    assert sign_in(client, "any").status_code == 401


def test_the_cookie_replaces_the_authorization_header(client: Client, secret: str) -> None:
    assert client.get("/v1/popular").status_code == 401
    assert client.get("/v1/popular", **with_cookie(secret)).status_code == 200
    assert client.get("/v1/popular", **with_cookie("wrong")).status_code == 401
    assert client.get("/v1/popular", **with_cookie(secret, Authorization="Bearer wrong")).status_code == 401


@pytest.mark.parametrize(
    "origin", [None, "null", "http://elsewhere.example", f"{HOST}.elsewhere.example", f"{HOST}:81"]
)
def test_posts_of_other_sites_are_rejected(client: Client, secret: str, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    cart = client.post("/v1/cart/recommendations", json={}, **with_cookie(secret, **headers))
    assert (cart.status_code, cart.json()["error"]["code"]) == (403, "other_site")
    assert client.post("/sign-in", data={"key": secret}, headers=headers).status_code == 403
    assert client.post("/sign-out", headers=headers).status_code == 403
    assert (
        client.post("/v1/cart/recommendations", json={}, **with_cookie(secret, **SAME_ORIGIN)).status_code
        == 200
    )


def test_sign_out_deletes_the_cookie(client: Client, secret: str) -> None:
    response = client.post("/sign-out", **with_cookie(secret, **SAME_ORIGIN))
    assert (response.status_code, response.headers["Location"]) == (303, "sign-in")
    assert 'nightshelf_key=""' in response.headers["Set-Cookie"]
    assert "Max-Age=0" in response.headers["Set-Cookie"]
