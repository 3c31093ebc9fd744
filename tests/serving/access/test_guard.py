"""Which requests are admitted: API keys, scopes and rate limits, through the edge."""

import os
from pathlib import Path

import pytest
from edges import bearer, edge_client

from serving.access import guard, keys
from serving.access.guard import PUBLIC_PAGES, Guard, is_loopback
from serving.live.served import ServingState

pytestmark = pytest.mark.fast


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture(autouse=True)
def _check_file_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CHECK_SECONDS", 0)


def test_without_keys_only_requests_to_loopback_are_admitted(live: ServingState, file: Path) -> None:
    client = edge_client(live, file)
    assert client.get("/v1/popular").status_code == 200
    refused = client.get("http://192.0.2.7/v1/popular")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "no_keys")
    assert client.get("http://192.0.2.7/readyz").status_code == 200


def test_with_a_key_every_request_needs_one(live: ServingState, file: Path) -> None:
    secret = keys.add(file, "shop", "read")
    client = edge_client(live, file)
    invalid = ({}, bearer(secret[:-1]), bearer(""), {"headers": {"Authorization": f"Basic {secret}"}})
    for options in (*invalid, {"headers": {"X-API-Key": secret}}, {"headers": {"Authorization": secret}}):
        response = client.get("/v1/popular", **options)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert secret[:-1] not in response.text
    assert client.get("/v1/popular", **bearer(secret)).status_code == 200
    assert client.get("http://192.0.2.7/v1/popular", **bearer(secret)).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/schema.json", "/nothing", "/v1/customers/1/recommendations"])
def test_routes_with_the_shop_s_data_need_a_key(live: ServingState, file: Path, path: str) -> None:
    keys.add(file, "shop", "read")
    assert edge_client(live, file).get(path).status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", *PUBLIC_PAGES])
def test_public_routes_need_no_key(live: ServingState, file: Path, path: str) -> None:
    keys.add(file, "shop", "read")
    expected = 405 if path == "/sign-out" else 200
    assert edge_client(live, file).get(path.replace("{file}", "style.css")).status_code == expected


def test_refuses_a_key_with_too_small_a_scope(live: ServingState, file: Path) -> None:
    reader, writer = bearer(keys.add(file, "shop", "read")), bearer(keys.add(file, "cron", "write"))
    admin = bearer(keys.add(file, "boss", "admin"))
    client = edge_client(live, file)
    assert client.post("/reco", json={"user_id": "1"}, **reader).status_code == 200
    refused = client.request("PUT", "/v1/model", **reader)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    assert "scope is read, the route requires write" in refused.json()["error"]["message"]
    assert client.request("PUT", "/v1/model", **writer).status_code == 405
    assert client.request("DELETE", "/v1/model", **writer).status_code == 403
    assert client.request("DELETE", "/v1/model", **admin).status_code == 405


def test_added_and_removed_keys_apply_at_once(live: ServingState, file: Path) -> None:
    client = edge_client(live, file)
    assert client.get("/v1/popular").status_code == 200
    secret = bearer(keys.add(file, "shop", "read"))
    assert client.get("/v1/popular").status_code == 401
    assert client.get("/v1/popular", **secret).status_code == 200
    keys.remove(file, "shop")
    assert client.get("/v1/popular", **secret).status_code == 401
    assert client.get("/v1/popular").status_code == 401  # a file without keys admits nobody


def test_an_unreadable_or_missing_file_leaves_the_keys_as_they_were(
    live: ServingState, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = bearer(keys.add(file, "shop", "read"))
    client = edge_client(live, file)
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
    assert edge_client(live, file).get("/v1/popular").status_code == 401


def test_answers_429_with_the_time_to_retry_over_the_rate_limit(live: ServingState, file: Path) -> None:
    shop, cron = bearer(keys.add(file, "shop", "read")), bearer(keys.add(file, "cron", "read"))
    client = edge_client(live, file, rate=0.01)
    assert client.get("/v1/popular", **shop).status_code == 200
    refused = client.get("/v1/popular", **shop)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
    assert 90 <= int(refused.headers["Retry-After"]) <= 100
    assert client.get("/v1/popular", **cron).status_code == 200
    assert client.get("/readyz", **shop).status_code == 200


def test_checks_the_file_once_a_second(
    live: ServingState, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "CHECK_SECONDS", 1.0)
    keyring = Guard(file, 0).keyring
    assert keyring.keys is None
    keys.add(file, "shop", "read")
    assert keyring.keys is None
    keyring._checked_at -= 1.0
    assert keyring.keys is not None
    os.utime(file)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("/run/shelf.sock", True),
     ("0.0.0.0", False), ("::", False), ("192.168.0.4", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_recognises_loopback_addresses(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local
