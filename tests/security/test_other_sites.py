"""A page of another site, open in a browser beside a service without keys, reads and changes nothing."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import bundles
import httpx
import pytest
from browsers import chromium
from browsing import running_service
from playwright.sync_api import Browser, Page
from ports import free_port
from processes import Service
from raw_http import exchange, request, status
from shoppers import bundle_with_shoppers

EVIL = "evil.example"
REBOUND = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"
PURCHASE = f'{{"customer": "{bundles.UNKNOWN_CUSTOMER}", "product": "tea-1", "kind": "purchase"}}'
READ = "([url, options]) => fetch(url, options).then(r => r.text().then(text => [r.status, text]))"
SEND = "([url, options]) => fetch(url, options).then(() => 'sent', () => 'refused')"


class EvilPage(BaseHTTPRequestHandler):
    """An empty page without scripts, from which the tests run scripts."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(REBOUND) as started:
        yield started


@pytest.fixture(scope="module")
def up(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("home"), bundle_with_shoppers()) as service:
        yield service


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of another site's page, whose name resolves to this machine as well."""
    port = free_port()
    with ThreadingHTTPServer(("127.0.0.1", port), EvilPage) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{EVIL}:{port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def price(up: Service) -> float:
    items = httpx.get(f"{up.url}/v1/popular?n=100&in_stock=false").json()["items"]
    return next(float(item["price"]) for item in items if item["product"] == "tea-1")


def is_known(up: Service) -> bool:
    answer = httpx.get(f"{up.url}/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations").json()
    return bool(answer["known"])


def test_a_page_whose_name_was_rebound_to_this_machine_reads_and_changes_nothing(
    page: Page, up: Service
) -> None:
    page.goto(up.url.replace("127.0.0.1", EVIL))  # as after its name has changed: it has the same origin now
    before = price(up)
    for path in ("/v1/shoppers", f"/v1/customers/{bundles.ANNA}/history", "/v1/popular", "/v1/status"):
        answer, text = page.evaluate(READ, [path, {}])
        assert (answer, "unexpected_host" in text) == (403, True)
    change = {"method": "PUT", "body": '{"price": 1}', "headers": {"Content-Type": "application/json"}}
    assert page.evaluate(READ, ["/v1/products/tea-1", change])[0] == 403
    assert page.evaluate(READ, [f"/v1/customers/{bundles.ANNA}", {"method": "DELETE"}])[0] == 403
    assert price(up) == before
    assert httpx.get(f"{up.url}/v1/customers/{bundles.ANNA}/history").json()["known"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_page_of_another_site_plants_no_purchase(
    page: Page, up: Service, elsewhere: str, kind: str
) -> None:
    page.goto(elsewhere)
    blind = {"method": "POST", "mode": "no-cors", "body": PURCHASE, "headers": {"Content-Type": kind}}
    assert page.evaluate(SEND, [f"{up.url}/v1/events", blind]) == "sent"  # the browser sends it
    assert not is_known(up)


def test_a_link_from_another_site_opens_the_night_reports(page: Page, up: Service, elsewhere: str) -> None:
    page.goto(elsewhere)
    page.evaluate("url => { location.href = url }", f"{up.url}/nights/")
    page.wait_for_url(f"{up.url}/nights/")
    assert "There is no report yet" in page.inner_text("body")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://[x"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "script"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "[::1].evil.example"},
        {"Host": "localhost.evil.example:3000"},
    ],
)
def test_refuses_what_only_a_foreign_page_sends(up: Service, headers: dict[str, str]) -> None:
    assert status(exchange(up.url, request(**headers))) == 403
    assert "Traceback" not in up.log.read_text()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost"},
        {"Host": "LocalHost:3000"},
        {"Host": "[::1]:3000"},
        {"Host": "127.0.0.1:3000", "Origin": "http://127.0.0.1:3000"},
        {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
    ],
)
def test_answers_programs_and_its_own_pages(up: Service, headers: dict[str, str]) -> None:
    assert status(exchange(up.url, request(**headers))) == 200


def test_refuses_a_body_that_is_not_json_by_its_type(up: Service) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "\x00"):
        sent = request("/v1/events", "POST", PURCHASE.encode(), Content_Type=kind)
        assert status(exchange(up.url, sent)) in (400, 415)
    assert not is_known(up)
