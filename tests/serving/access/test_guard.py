"""Who is let in: keys, scopes and rates, as a request meets them."""

import os
from pathlib import Path

import pytest
from edges import bearer, edged

from serving.access import guard, keys
from serving.access.guard import PAGES, Guard, is_this_machine
from serving.live.served import Live


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture(autouse=True)
def _look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LOOKS", 0)


def test_without_keys_this_machine_is_answered_and_no_other(live: Live, file: Path) -> None:
    client = edged(live, file)
    assert client.get("/v1/popular").status_code == 200
    refused = client.get("http://192.0.2.7/v1/popular")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "no_keys")
    assert client.get("http://192.0.2.7/readyz").status_code == 200


def test_with_a_key_nobody_is_answered_without(live: Live, file: Path) -> None:
    secret = keys.add(file, "shop", "read")
    client = edged(live, file)
    wrong = ({}, bearer(secret[:-1]), bearer(""), {"headers": {"Authorization": f"Basic {secret}"}})
    for options in (*wrong, {"headers": {"X-API-Key": secret}}, {"headers": {"Authorization": secret}}):
        response = client.get("/v1/popular", **options)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert secret[:-1] not in response.text
    assert client.get("/v1/popular", **bearer(secret)).status_code == 200
    assert client.get("http://192.0.2.7/v1/popular", **bearer(secret)).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/schema.json", "/nothing", "/v1/customers/1/recommendations"])
def test_what_tells_of_the_shop_wants_a_key(live: Live, file: Path, path: str) -> None:
    keys.add(file, "shop", "read")
    assert edged(live, file).get(path).status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", *PAGES])
def test_what_tells_nothing_of_the_shop_wants_none(live: Live, file: Path, path: str) -> None:
    keys.add(file, "shop", "read")
    wanted = 405 if path == "/sign-out" else 200
    assert edged(live, file).get(path.replace("{file}", "style.css")).status_code == wanted


def test_a_scope_that_is_too_small_is_told(live: Live, file: Path) -> None:
    reader, writer = bearer(keys.add(file, "shop", "read")), bearer(keys.add(file, "cron", "write"))
    admin = bearer(keys.add(file, "boss", "admin"))
    client = edged(live, file)
    assert client.post("/reco", json={"user_id": "1"}, **reader).status_code == 200
    refused = client.request("PUT", "/v1/model", **reader)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    assert "scope is read, the route asks for write" in refused.json()["error"]["message"]
    assert client.request("PUT", "/v1/model", **writer).status_code == 405
    assert client.request("DELETE", "/v1/model", **writer).status_code == 403
    assert client.request("DELETE", "/v1/model", **admin).status_code == 405


def test_a_key_is_known_and_refused_as_soon_as_the_file_says_so(live: Live, file: Path) -> None:
    client = edged(live, file)
    assert client.get("/v1/popular").status_code == 200
    secret = bearer(keys.add(file, "shop", "read"))
    assert client.get("/v1/popular").status_code == 401
    assert client.get("/v1/popular", **secret).status_code == 200
    keys.remove(file, "shop")
    assert client.get("/v1/popular", **secret).status_code == 401
    assert client.get("/v1/popular").status_code == 401  # a file without keys keeps all out


def test_a_file_that_cannot_be_read_lets_nobody_in_and_nobody_out(
    live: Live, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = bearer(keys.add(file, "shop", "read"))
    client = edged(live, file)
    assert client.get("/v1/popular", **secret).status_code == 200
    file.write_text("nonsense\n")
    assert client.get("/v1/popular", **secret).status_code == 200
    assert "line 1 of" in caplog.text
    file.unlink()
    assert [client.get("/v1/popular", **secret).status_code, client.get("/v1/popular").status_code] == [
        200,
        401,
    ]
    file.write_text("nonsense\n")
    assert edged(live, file).get("/v1/popular").status_code == 401


def test_who_asks_too_often_is_told_when_to_come_back(live: Live, file: Path) -> None:
    shop, cron = bearer(keys.add(file, "shop", "read")), bearer(keys.add(file, "cron", "read"))
    client = edged(live, file, rate=0.01)
    assert client.get("/v1/popular", **shop).status_code == 200
    refused = client.get("/v1/popular", **shop)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
    assert 90 <= int(refused.headers["Retry-After"]) <= 100
    assert client.get("/v1/popular", **cron).status_code == 200
    assert client.get("/readyz", **shop).status_code == 200


def test_the_file_is_looked_at_once_a_second(live: Live, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LOOKS", 1.0)
    ring = Guard(file, 0).ring
    assert ring.keys is None
    keys.add(file, "shop", "read")
    assert ring.keys is None
    ring._looked -= 1.0
    assert ring.keys is not None
    os.utime(file)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("/run/shelf.sock", True),
     ("0.0.0.0", False), ("::", False), ("192.168.0.4", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_this_machine(host: str, is_local: bool) -> None:
    assert is_this_machine(host) is is_local
