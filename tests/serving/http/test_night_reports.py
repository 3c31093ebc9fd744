"""The night reports as the service shows them."""

import base64
import hashlib
from pathlib import Path

import bundles
import httpx
import pytest
from clients import Client
from edges import bearer
from starlette.responses import PlainTextResponse

from serving.access import keys
from serving.access.guard import Guard
from serving.edge import Edge
from serving.http import night_reports
from serving.http.routes import create_app
from serving.live.served import ServingState
from serving.observe.masking import route_template
from serving.settings import ServingSettings

STYLE = "body { color: black }"
PAGE = f"<!doctype html><title>A nightly run</title><style>{STYLE}</style><p>It was promoted."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "nights"
    folder.mkdir()
    (folder / "2026-01-31.html").write_text(PAGE)
    (folder / "index.html").write_text("<!doctype html><a href='2026-01-31.html'>2026-01-31</a>")
    (tmp_path / "secret.html").write_text("secret")
    return folder


def client(live: ServingState, folder: Path) -> Client:
    return Client(create_app(live, bundles.KEY, extra_routes=night_reports.routes(folder)))


def test_index_links_to_each_report(live: ServingState, folder: Path) -> None:
    pages = client(live, folder)
    redirect = pages.get("/nights")
    assert (
        redirect.status_code,
        httpx.URL("http://shelf/nights").join(redirect.headers["location"]).path,
    ) == (
        307,
        "/nights/",
    )
    assert "2026-01-31.html" in pages.get("/nights/").text
    for path in ("/nights/2026-01-31", "/nights/2026-01-31.html"):
        assert pages.get(path).text == PAGE
    assert pages.get("/nights/index.html").text == pages.get("/nights/").text


def test_a_report_loads_nothing_and_uses_only_its_own_style_sheet(live: ServingState, folder: Path) -> None:
    headers = client(live, folder).get("/nights/2026-01-31").headers
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "unsafe" not in policy
    assert headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/nights/2026-02-01",
        "/nights/secret",
        "/nights/..%2Fsecret",
        "/nights/%2e%2e%2fsecret.html",
        "/nights/x",
    ],
)
def test_returns_404_for_other_files_and_missing_reports(live: ServingState, folder: Path, path: str) -> None:
    answer = client(live, folder).get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_index_before_the_first_report_says_how_to_get_one(live: ServingState, tmp_path: Path) -> None:
    assert "There is no report yet" in client(live, tmp_path / "nights").get("/nights/").text


def test_reports_require_a_key_if_there_are_keys(live: ServingState, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    secret = keys.add(file, "merchandiser", "read")
    app = create_app(live, bundles.KEY, extra_routes=night_reports.routes(folder))
    edge = Edge(app, PlainTextResponse(""), app.routes, Guard(file, 0), ServingSettings())
    for path in ("/nights", "/nights/", "/nights/2026-01-31"):
        assert Client(edge).get(path).status_code == 401
        assert Client(edge).get(path, **bearer(secret)).status_code in (200, 307)


def test_metrics_and_log_use_the_route_template(live: ServingState, folder: Path) -> None:
    routes = create_app(live, bundles.KEY, extra_routes=night_reports.routes(folder)).routes
    scope = {"type": "http", "method": "GET", "path": "/nights/2026-01-31"}
    assert route_template(routes, scope) == "/nights/{night}"
