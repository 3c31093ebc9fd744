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
PAGE = f"<!doctype html><title>A night</title><style>{STYLE}</style><p>It was promoted."


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


def test_the_list_leads_to_each_night(live: ServingState, folder: Path) -> None:
    shop = client(live, folder)
    moved = shop.get("/nights")
    assert (moved.status_code, httpx.URL("http://shelf/nights").join(moved.headers["location"]).path) == (
        307,
        "/nights/",
    )
    assert "2026-01-31.html" in shop.get("/nights/").text
    for path in ("/nights/2026-01-31", "/nights/2026-01-31.html"):
        assert shop.get(path).text == PAGE
    assert shop.get("/nights/index.html").text == shop.get("/nights/").text


def test_a_report_may_load_nothing_and_be_styled_by_its_own_sheet_alone(
    live: ServingState, folder: Path
) -> None:
    told = client(live, folder).get("/nights/2026-01-31").headers
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = told["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "unsafe" not in policy
    assert told["content-type"] == "text/html; charset=utf-8"


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
def test_nothing_else_of_the_disk_is_shown(live: ServingState, folder: Path, path: str) -> None:
    answer = client(live, folder).get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_before_the_first_night_the_list_says_so(live: ServingState, tmp_path: Path) -> None:
    assert "No night has left a report yet" in client(live, tmp_path / "nights").get("/nights/").text


def test_reports_want_a_key_where_there_are_keys(live: ServingState, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    secret = keys.add(file, "merchandiser", "read")
    app = create_app(live, bundles.KEY, extra_routes=night_reports.routes(folder))
    edge = Edge(app, PlainTextResponse(""), app.routes, Guard(file, 0), ServingSettings())
    for path in ("/nights", "/nights/", "/nights/2026-01-31"):
        assert Client(edge).get(path).status_code == 401
        assert Client(edge).get(path, **bearer(secret)).status_code in (200, 307)


def test_metrics_and_log_see_the_template(live: ServingState, folder: Path) -> None:
    routes = create_app(live, bundles.KEY, extra_routes=night_reports.routes(folder)).routes
    scope = {"type": "http", "method": "GET", "path": "/nights/2026-01-31"}
    assert route_template(routes, scope) == "/nights/{night}"
