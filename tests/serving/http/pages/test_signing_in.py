"""Sign-in in a browser, on a real service that has API keys."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browsers import open_page
from browsing import card_names, running_service
from playwright.sync_api import Browser, Page, expect
from processes import Service
from shoppers import bundle_with_shoppers

from serving.access import keys


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def reader(home: Path) -> str:
    return keys.add(home / "keys", "reader", "read")


@pytest.fixture(scope="module")
def writer(home: Path, reader: str) -> str:
    return keys.add(home / "keys", "writer", "write")


@pytest.fixture(scope="module")
def up(browser: Browser, home: Path, writer: str) -> Iterator[Service]:
    with running_service(home, bundle_with_shoppers()) as service:
        yield service


def sign_in(page: Page, key: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_without_a_key_the_storefront_shows_no_data_and_leads_to_sign_in(page: Page) -> None:
    responses = []
    page.on("response", lambda response: responses.append((response.status, "/v1/" in response.url)))
    page.goto("/")
    page.wait_for_url("**/sign-in")
    assert {status for status, is_api in responses if is_api} == {401}
    assert page.locator(".card, #shoppers").count() == 0


@pytest.mark.parametrize("path", ["/nights", "/nights/", "/nights/2026-01-31"])
def test_without_a_key_nightly_reports_lead_to_sign_in(page: Page, up: Service, path: str) -> None:
    page.goto(path)
    expect(page).to_have_url(f"{up.url}/sign-in")
    assert httpx.get(f"{up.url}{path}").status_code == 401  # only browsers are redirected


def test_an_unknown_key_shows_an_error(page: Page) -> None:
    sign_in(page, "no such key")
    expect(page.get_by_role("alert")).to_contain_text("This API key is unknown")
    expect(page.get_by_label("API key")).to_have_value("")
    assert page.context.cookies() == []


def test_with_a_key_the_storefront_works_until_sign_out(page: Page, writer: str) -> None:
    sign_in(page, writer)
    card_names(page, "#for-you")
    expect(page.locator("#status")).to_contain_text("Version 7")
    (cookie,) = page.context.cookies()
    assert (cookie["value"], cookie["httpOnly"], cookie["sameSite"]) == (writer, True, "Strict")
    assert cookie["expires"] == -1  # a session cookie
    assert page.evaluate("document.cookie") == ""
    page.get_by_label("Customer id").fill("C-1")
    page.get_by_role("button", name="Show", exact=True).click()
    page.locator("#for-you").get_by_role("button", name="Never show Tea one again").click()
    expect(page.locator("#for-you").get_by_role("link", name="Tea one")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    assert page.context.cookies() == []
    page.goto("/")
    page.wait_for_url("**/sign-in")


def test_sending_an_event_with_a_read_key_shows_the_reason(page: Page, reader: str) -> None:
    sign_in(page, reader)
    page.get_by_label("Customer id").fill("C-2")
    page.get_by_role("button", name="Show", exact=True).click()
    page.locator("#for-you").get_by_role("button", name="More like Coffee one").click()
    expect(page.get_by_role("status")).to_contain_text("This API key can only read")
    details = page.locator("#for-you details")
    details.locator("summary").click()
    expect(details).to_contain_text("-H 'Authorization: Bearer KEY'")
    assert reader not in page.content()


def test_other_sites_cannot_use_the_cookie(browser: Browser, up: Service, writer: str) -> None:
    with open_page(browser, up.url) as page:
        sign_in(page, writer)
        card_names(page, "#for-you")
        event = {"customer": "C-3", "product": "tea-1", "kind": "view"}
        own = page.request.post("/v1/events", data=event, headers={"Origin": up.url})
        other = page.request.post("/v1/events", data=event, headers={"Origin": "http://elsewhere.example"})
        nowhere = page.request.post("/v1/events", data=event)
        assert [own.status, other.status, nowhere.status] == [200, 403, 403]
        forged = page.request.post("/sign-out", headers={"Origin": "http://elsewhere.example"})
        assert forged.status == 403
