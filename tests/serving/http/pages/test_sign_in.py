"""Sign-in without a browser: what the cookie is, and whose requests it lets in."""

from pathlib import Path

import bundles
import httpx
import pytest
from clients import Client
from edges import HOST, Edged
from starlette.responses import PlainTextResponse

from serving.access import guard, keys
from serving.access.guard import Guard
from serving.edge import Edge
from serving.http.routes import create_app
from serving.live.served import ServingState
from serving.settings import ServingSettings

OWN = {"Origin": HOST}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def secret(file: Path) -> str:
    return keys.add(file, "boss", "write")


@pytest.fixture
def asker(live: ServingState, file: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(guard, "CHECK_SECONDS", 0)
    door = Guard(file, 0)
    app = create_app(live, bundles.KEY, door.keyring)
    return Edged(Edge(app, PlainTextResponse("BentoML"), app.routes, door, ServingSettings()))


def sign_in(asker: Client, key: str, **headers: str) -> httpx.Response:
    return asker.post("/sign-in", data={"key": key}, headers={**OWN, **headers})


def with_cookie(secret: str, **headers: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Cookie": f"other=1; nightshelf_key={secret}", **headers}}


def test_a_known_key_is_kept_where_no_script_reads_it(asker: Client, secret: str) -> None:
    done = sign_in(asker, f" {secret} ")
    assert (done.status_code, done.headers["Location"]) == (303, "./")
    assert done.headers["Set-Cookie"] == f"nightshelf_key={secret}; HttpOnly; Path=/; SameSite=strict"


def test_over_https_the_cookie_goes_nowhere_else(asker: Client, secret: str) -> None:
    cookie = sign_in(asker, secret, **{"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]
    assert cookie.endswith("; Secure")


@pytest.mark.parametrize("key", ["", "nonsense", "<script>", "ключ"])
def test_another_key_is_refused_and_not_repeated(asker: Client, secret: str, key: str) -> None:
    refused = sign_in(asker, key)
    assert refused.status_code == 401
    assert "Set-Cookie" not in refused.headers
    assert "No such key is known" in refused.text
    assert key == "" or key not in refused.text


def test_where_no_key_is_asked_for_the_page_says_so(asker: Client) -> None:
    assert "No key is asked for here" in asker.get("/sign-in").text
    assert sign_in(asker, "any").status_code == 401


def test_the_cookie_stands_for_the_header(asker: Client, secret: str) -> None:
    assert asker.get("/v1/popular").status_code == 401
    assert asker.get("/v1/popular", **with_cookie(secret)).status_code == 200
    assert asker.get("/v1/popular", **with_cookie("wrong")).status_code == 401
    assert asker.get("/v1/popular", **with_cookie(secret, Authorization="Bearer wrong")).status_code == 401


@pytest.mark.parametrize(
    "origin", [None, "null", "http://elsewhere.example", f"{HOST}.elsewhere.example", f"{HOST}:81"]
)
def test_what_another_site_posts_is_refused(asker: Client, secret: str, origin: str | None) -> None:
    foreign = {} if origin is None else {"Origin": origin}
    cart = asker.post("/v1/cart/recommendations", json={}, **with_cookie(secret, **foreign))
    assert (cart.status_code, cart.json()["error"]["code"]) == (403, "other_site")
    assert asker.post("/sign-in", data={"key": secret}, headers=foreign).status_code == 403
    assert asker.post("/sign-out", headers=foreign).status_code == 403
    assert asker.post("/v1/cart/recommendations", json={}, **with_cookie(secret, **OWN)).status_code == 200


def test_sign_out_takes_the_cookie_away(asker: Client, secret: str) -> None:
    gone = asker.post("/sign-out", **with_cookie(secret, **OWN))
    assert (gone.status_code, gone.headers["Location"]) == (303, "sign-in")
    assert 'nightshelf_key=""' in gone.headers["Set-Cookie"]
    assert "Max-Age=0" in gone.headers["Set-Cookie"]
