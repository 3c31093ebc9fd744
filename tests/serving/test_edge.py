"""The edge: body limits, headers, origins, the access log and metrics."""

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import pytest
from edges import bearer, edge_client
from prometheus_client import REGISTRY

from serving import edge
from serving.access import keys
from serving.live.served import ServingState
from serving.observe.metrics import BUCKET_BOUNDS_MS

CUSTOMER = "/v1/customers/+7(916)539-6205/recommendations"
ROUTE = "/v1/customers/{customer}/recommendations"


def count(name: str, **labels: str) -> float:
    """Returns the value of a Prometheus sample, 0 if there is none."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_answers_413_to_a_body_over_the_limit(live: ServingState, file: Path) -> None:
    client = edge_client(live, file, body_limit=100)
    assert client.post("/reco", json={"user_id": "1"}).status_code == 200
    for content in (b"x" * 101, iter([b"x" * 60, b"x" * 60])):  # with a length in advance, and in chunks
        response = client.post("/reco", content=_parts(content))
        assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")
        assert "100 bytes" in response.json()["error"]["message"]
    response = client.post("/reco", content=b"", headers={"Content-Length": "101"})
    assert response.status_code == 413  # before the body is read


def _parts(content):  # type: ignore[no-untyped-def]
    if isinstance(content, bytes):
        return content

    async def parts():  # type: ignore[no-untyped-def]
        for part in content:
            yield part

    return parts()


def test_answers_408_to_a_body_that_does_not_arrive(
    live: ServingState, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "BODY_TIMEOUT", 0.05)

    async def slow():  # type: ignore[no-untyped-def]
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    response = edge_client(live, file).post("/reco", content=slow())
    assert (response.status_code, response.json()["error"]["code"]) == (408, "timeout")


def test_forwards_only_bentoml_s_own_routes_to_bentoml(live: ServingState, file: Path) -> None:
    client = edge_client(live, file)
    for path in ("/livez", "/readyz", "/healthz", "/metrics", "/schema.json"):
        assert client.get(path).text == "BentoML"
    for path in ("/static_content/index.css", "/docs.json", "/assets"):
        assert client.get(path).json()["error"]["code"] == "not_found"


def test_closes_a_web_socket(live: ServingState, file: Path) -> None:
    sent = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    asyncio.run(edge_client(live, file).app({"type": "websocket", "path": "/", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close"}]


def test_answers_forbid_caching_and_sniffing(live: ServingState, file: Path) -> None:
    for path in ("/v1/popular", "/nothing", "/"):
        headers = edge_client(live, file).get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_allows_only_the_configured_origins(live: ServingState, file: Path) -> None:
    keys.add(file, "shop", "read")
    preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    client = edge_client(live, file, origins="https://shop.example, https://other.example")
    allowed = client.request("OPTIONS", "/v1/popular", headers=preflight)
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (
        200,
        "https://shop.example",
    )
    refused = client.get("/v1/popular", headers=preflight)  # the page must be able to read the error
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (
        401,
        "https://shop.example",
    )
    other = client.request("OPTIONS", "/v1/popular", headers=preflight | {"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
    unset = edge_client(live, file).request("OPTIONS", "/v1/popular", headers=preflight)
    assert "Access-Control-Allow-Origin" not in unset.headers


def test_logs_each_request_without_personal_data(
    live: ServingState, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = keys.add(file, "shop", "read")
    client = edge_client(live, file)
    client.get(f"{CUSTOMER}?exclude=79165396205", **bearer(secret))
    client.get("/79165396205", **bearer(secret))
    client.get("/v1/popular", **bearer("79165396205"))
    client.get("/readyz")
    output = capfd.readouterr().out
    answered, unknown, refused = (json.loads(line) for line in output.splitlines())
    expected = {"method": "GET", "route": ROUTE, "status": 200, "version": "7", "key": "shop"}
    assert {name: answered[name] for name in expected} == expected
    assert set(answered) == {*expected, "time", "ms"}
    assert (unknown["route"], unknown["status"], unknown["version"]) == ("/unknown", 404, None)
    assert (refused["status"], refused["key"]) == (401, None)
    assert "539" not in output
    assert secret not in output


def test_the_access_log_can_be_turned_off(
    live: ServingState, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    edge_client(live, file, access_log=False).get("/v1/popular")
    assert capfd.readouterr().out == ""


def test_counts_requests_by_route_and_status(live: ServingState, file: Path) -> None:
    labels = {"route": ROUTE, "method": "GET"}
    before = count("nightshelf_request_seconds_count", **labels, status="200")
    unknown = count("nightshelf_request_seconds_count", route="/unknown", method="other", status="404")
    client = edge_client(live, file)
    for _ in range(3):
        client.get(CUSTOMER)
    client.request("BREW", "/79165396205")
    assert count("nightshelf_request_seconds_count", **labels, status="200") == before + 3
    after = count("nightshelf_request_seconds_count", route="/unknown", method="other", status="404")
    assert after == unknown + 1


def test_counts_answers_by_lane_and_items_by_reason(live: ServingState, file: Path) -> None:
    def counts() -> list[float]:
        return [
            count("nightshelf_answers_total", lane="for-you", known="true"),
            count("nightshelf_answers_total", lane="discover", known="false"),
            count("nightshelf_items_total", kind="repurchase"),
            count("nightshelf_items_total", kind="taste"),
            count("nightshelf_items_total", kind="trending"),
        ]

    before = counts()
    client = edge_client(live, file)
    client.get(f"{CUSTOMER}?n=3")  # coffee-1 and coffee-2, bought before, and a tea
    client.post("/v1/recommendations", json={"customers": ["1", "2"], "lane": "discover", "n": 2})
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [1, 2, 2, 1, 4]


def test_buckets_from_1_to_100_ms_at_most_double() -> None:
    bounds = [bound for bound in BUCKET_BOUNDS_MS if 1 <= bound <= 100]
    assert max(after / before for before, after in pairwise(bounds)) <= 2
