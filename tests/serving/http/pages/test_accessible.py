"""axe-core finds no accessibility violations on the pages, in light and dark mode."""

import bundles
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import open_page
from browsing import card_names
from playwright.sync_api import Browser, Page, expect
from processes import Service


def guest(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Guest").click()
    expect(page.get_by_role("heading", level=2, name="Guest")).to_be_visible()
    card_names(page, "#popular")
    page.locator("#popular").get_by_role("button", name="Add Coffee one to the cart").click()
    expect(page.locator("#for-you")).to_contain_text("Based on 1 product in the cart")
    page.locator("#for-you summary").click()


def shopper(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Loyal to coffee").click()
    page.locator("#status summary").click()


def entered(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Customer id").fill(bundles.BORIS)
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_label("In stock only").uncheck()
    page.wait_for_selector("#for-you .out")


def product(page: Page) -> None:
    page.goto("/#/p/coffee-1")
    page.wait_for_selector(".columns.two .reason")


def failing(page: Page) -> None:
    page.route("**/v1/**", lambda route: route.abort())
    page.goto("/")
    page.wait_for_selector("#popular [role=alert]")


def routes(page: Page) -> None:
    page.goto("/docs")


def sign_in(page: Page) -> None:
    page.goto("/sign-in")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", [guest, shopper, entered, product, failing, routes, sign_in])
def test_page_has_no_accessibility_violations(
    browser: Browser, up: Service, scheme: str, state: object
) -> None:
    with open_page(browser, up.url, color_scheme=scheme, reduced_motion="reduce") as page:
        state(page)
        violations = Axe().run(page).response["violations"]
        assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in violations] == []
