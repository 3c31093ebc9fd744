"""The edge: sizes, headers, origins, and what log and metrics are told."""

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import pytest
from edges import bearer, edged
from prometheus_client import REGISTRY

from serving import edge
from serving.access import keys
from serving.live.served import Live
from serving.observe.metrics import MILLISECONDS

CUSTOMER = "/v1/customers/+7(916)539-6205/recommendations"
ROUTE = "/v1/customers/{customer}/recommendations"


def count(name: str, **labels: str) -> float:
    """A number that Prometheus is told; 0 where it isn't."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_a_body_that_is_too_large_is_refused(live: Live, file: Path) -> None:
    client = edged(live, file, body_limit=100)
    assert client.post("/reco", json={"user_id": "1"}).status_code == 200
    for content in (b"x" * 101, iter([b"x" * 60, b"x" * 60])):  # told beforehand, and in parts
        response = client.post("/reco", content=_parts(content))
        assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")
        assert "100 bytes" in response.json()["error"]["message"]
    told = client.post("/reco", content=b"", headers={"Content-Length": "101"})
    assert told.status_code == 413  # before it is read


def _parts(content):  # type: ignore[no-untyped-def]
    if isinstance(content, bytes):
        return content

    async def parts():  # type: ignore[no-untyped-def]
        for part in content:
            yield part

    return parts()


def test_a_body_that_does_not_come_is_not_waited_for(
    live: Live, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "PATIENCE", 0.05)

    async def slow():  # type: ignore[no-untyped-def]
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    response = edged(live, file).post("/reco", content=slow())
    assert (response.status_code, response.json()["error"]["code"]) == (408, "timeout")


def test_bentoml_s_own_routes_go_to_bentoml(live: Live, file: Path) -> None:
    client = edged(live, file)
    for path in ("/livez", "/readyz", "/healthz", "/metrics", "/schema.json"):
        assert client.get(path).text == "BentoML"
    for path in ("/static_content/index.css", "/docs.json", "/assets"):
        assert client.get(path).json()["error"]["code"] == "not_found"


def test_a_web_socket_is_closed(live: Live, file: Path) -> None:
    sent = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    asyncio.run(edged(live, file).app({"type": "websocket", "path": "/", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close"}]


def test_answers_are_not_kept_and_taken_for_what_they_are(live: Live, file: Path) -> None:
    for path in ("/v1/popular", "/nothing", "/"):
        headers = edged(live, file).get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_origins_are_let_in_by_name(live: Live, file: Path) -> None:
    keys.add(file, "shop", "read")
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    client = edged(live, file, origins="https://shop.example, https://other.example")
    allowed = client.request("OPTIONS", "/v1/popular", headers=asked)
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (
        200,
        "https://shop.example",
    )
    refused = client.get("/v1/popular", headers=asked)  # the page must be able to read why
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (
        401,
        "https://shop.example",
    )
    stranger = client.request("OPTIONS", "/v1/popular", headers=asked | {"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers
    unset = edged(live, file).request("OPTIONS", "/v1/popular", headers=asked)
    assert "Access-Control-Allow-Origin" not in unset.headers


def test_each_request_is_a_line_that_names_nobody(
    live: Live, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = keys.add(file, "shop", "read")
    client = edged(live, file)
    client.get(f"{CUSTOMER}?exclude=79165396205", **bearer(secret))
    client.get("/79165396205", **bearer(secret))
    client.get("/v1/popular", **bearer("79165396205"))
    client.get("/readyz")
    shown = capfd.readouterr().out
    answered, unknown, refused = (json.loads(line) for line in shown.splitlines())
    told = {"method": "GET", "route": ROUTE, "status": 200, "version": "7", "key": "shop"}
    assert {name: answered[name] for name in told} == told
    assert set(answered) == {*told, "time", "ms"}
    assert (unknown["route"], unknown["status"], unknown["version"]) == ("/unknown", 404, None)
    assert (refused["status"], refused["key"]) == (401, None)
    assert "539" not in shown
    assert secret not in shown


def test_the_log_can_be_off(live: Live, file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    edged(live, file, access_log=False).get("/v1/popular")
    assert capfd.readouterr().out == ""


def test_requests_are_counted_by_route_and_status(live: Live, file: Path) -> None:
    labels = {"route": ROUTE, "method": "GET"}
    before = count("nightshelf_request_seconds_count", **labels, status="200")
    unknown = count("nightshelf_request_seconds_count", route="/unknown", method="other", status="404")
    client = edged(live, file)
    for _ in range(3):
        client.get(CUSTOMER)
    client.request("BREW", "/79165396205")
    assert count("nightshelf_request_seconds_count", **labels, status="200") == before + 3
    after = count("nightshelf_request_seconds_count", route="/unknown", method="other", status="404")
    assert after == unknown + 1


def test_answers_are_counted_by_lane_and_items_by_reason(live: Live, file: Path) -> None:
    def told() -> list[float]:
        return [
            count("nightshelf_answers_total", lane="for-you", known="true"),
            count("nightshelf_answers_total", lane="discover", known="false"),
            count("nightshelf_items_total", kind="repurchase"),
            count("nightshelf_items_total", kind="taste"),
            count("nightshelf_items_total", kind="trending"),
        ]

    before = told()
    client = edged(live, file)
    client.get(f"{CUSTOMER}?n=3")  # coffee-1 and coffee-2, bought before, and a tea
    client.post("/v1/recommendations", json={"customers": ["1", "2"], "lane": "discover", "n": 2})
    assert [now - then for now, then in zip(told(), before, strict=True)] == [1, 2, 2, 1, 4]


def test_latencies_from_1_to_100_ms_are_told_apart() -> None:
    told = [one for one in MILLISECONDS if 1 <= one <= 100]
    assert max(after / before for before, after in pairwise(told)) <= 2
