"""The storefront in a browser, on a real service: every sentence that it makes of the answers."""

import json
import re
import shlex
import subprocess

import bundles
import httpx
import pytest
from browsers import open_page
from browsing import card_names
from homes import served
from playwright.sync_api import Browser, Page, Route, expect
from processes import Service

from serving.http.routes import create_app
from serving.live.served import ServingState

FOR_YOU, POPULAR, BOUGHT = "#for-you", "#popular", "#bought"


def enter(page: Page, customer: str) -> None:
    page.get_by_label("Customer id").fill(customer)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("heading", level=2, name="One customer")).to_be_visible()


def asked(up: Service, path: str, **params: object) -> list[str]:
    """The names of the items that the service answers, as the page shows them."""
    return [
        item["name"] or f"Product {item['product']}"
        for item in httpx.get(f"{up.url}{path}", params=params).json()["items"]
    ]


def test_the_status_line_says_which_model_serves_and_how_fast(page: Page, up: Service) -> None:
    httpx.get(f"{up.url}/v1/popular")
    page.goto("/")
    status = page.locator("#status")
    expect(status).to_contain_text("Version 7")
    expect(status).to_contain_text(re.compile("knows 21 Sept? – 20 Nov 2026"))
    expect(status).to_contain_text(re.compile(r"p99 [\d.]+ ms \(\d+ answers?, last .+\)"))
    status.get_by_text("promoted").click()
    expect(status.get_by_text("for-you: no worse than the champion")).to_be_visible()


def test_a_guest_sees_what_trends_and_is_told_so(page: Page, up: Service) -> None:
    page.goto("/")
    assert card_names(page, FOR_YOU) == card_names(page, POPULAR) == asked(up, "/v1/popular")
    expect(page.locator(FOR_YOU)).to_contain_text("Nothing is known yet, so what trends")
    expect(page.locator(BOUGHT)).to_contain_text("A guest is nobody in particular")


def test_a_telling_shopper_is_shown_as_of_then_with_the_hits_ticked(page: Page) -> None:
    page.goto("/")
    chips = page.get_by_role("group", name="Telling shoppers").get_by_role("button")
    expect(chips).to_have_text(["Guest", "Loyal to coffee", "One order"])
    page.get_by_role("button", name="Loyal to coffee").click()
    expect(page.locator("#about")).to_contain_text("Bought on 4 days before the test, 2.5 units at a time")
    expect(page.locator("#about")).to_contain_text("75 % of it coffee")
    expect(page.locator("#about")).to_contain_text("planted a taste for Coffee (espresso beans)")
    assert card_names(page, FOR_YOU) == ["Coffee one", "Кофе два", "Tea one"]
    assert card_names(page, POPULAR) == ["Tea one", "Tea two", "Coffee one"]
    assert card_names(page, BOUGHT) == ["Кофе два", "Tea two"]
    ticked = [
        page.locator(f"{column} .hit .head a").all_inner_texts() for column in (FOR_YOU, POPULAR, BOUGHT)
    ]
    assert ticked == [["Кофе два"], ["Tea two"], ["Кофе два"]]
    summary = "Of 3 recommended on 23 Oct 2026, 1 was bought by 20 Nov 2026; of the 3 most popular, 1."
    expect(page.locator("#summary")).to_have_text(summary)


def test_today_nothing_is_ticked_since_the_model_has_learned_from_it(page: Page, up: Service) -> None:
    page.goto("/")
    page.get_by_role("button", name="Loyal to coffee").click()
    page.get_by_role("button", name="Today").click()
    expect(page.locator(FOR_YOU)).to_contain_text("By what they bought")
    page.wait_for_selector(f"{FOR_YOU} .reason")
    assert card_names(page, FOR_YOU) == asked(up, f"/v1/customers/{bundles.ANNA}/recommendations")
    assert card_names(page, BOUGHT) == ["Кофе два", "Tea two"]
    expect(page.locator(BOUGHT)).to_contain_text("Today's model has learned from these, so none is ticked")
    assert page.locator(".hit").count() == 0


def test_anybody_may_be_entered(page: Page, up: Service) -> None:
    page.goto("/")
    enter(page, "+7 (916) 539 6205")
    page.wait_for_selector(f"{FOR_YOU} [data-product=coffee-1]")
    assert card_names(page, FOR_YOU) == asked(up, f"/v1/customers/{bundles.ANNA}/recommendations")
    expect(page.locator(BOUGHT)).to_contain_text("Only the shoppers above")


def test_a_card_says_what_why_and_how_much(page: Page) -> None:
    page.goto("/")
    enter(page, bundles.ANNA)
    page.get_by_label("In stock only").uncheck()
    first = page.locator(f"{FOR_YOU} [data-product=coffee-1]")
    expect(first).to_contain_text("Coffee one")
    expect(first).to_contain_text("9.50")
    expect(first).to_contain_text("coffee · Acme · in stock")
    expect(first).to_contain_text("score 2")
    expect(first).to_contain_text("bought before")
    out = page.locator(f"{FOR_YOU} [data-product=coffee-3]")
    expect(out).to_contain_text("out of stock")
    expect(out).to_contain_text("because of Coffee one and Кофе два")
    widths = [
        first.locator(".bar span").evaluate("e => e.style.width"),
        out.locator(".bar span").evaluate("e => e.style.width"),
    ]
    assert widths == ["100%", "80%"]  # it scores 1.6 of 2


def test_a_category_has_one_drawing_everywhere(page: Page) -> None:
    page.goto("/")
    card_names(page, POPULAR)
    drawn = page.locator(f"{POPULAR} .card").evaluate_all(
        "cards => cards.map(c => [c.textContent.includes('tea ·') ? 'tea' : 'coffee',"
        " c.querySelector('svg').outerHTML])"
    )
    assert len({category for category, _ in drawn}) == len({svg for _, svg in drawn}) == 2


def test_from_product_to_product_and_back(page: Page) -> None:
    page.goto("/")
    page.locator(POPULAR).get_by_role("link", name="Coffee one").click()
    alternatives, together = (
        page.get_by_role("region", name=name) for name in ("Alternatives", "Goes with it")
    )
    expect(page.get_by_role("heading", level=2, name="Coffee one")).to_be_focused()
    expect(alternatives.get_by_role("link", name="Кофе два")).to_be_visible()
    tea = together.locator("[data-product=tea-1]")
    expect(tea).to_contain_text("in 40 % of baskets with it, lift 1.6, seen 20 times")
    assert not {*alternatives.locator(".head a").all_inner_texts()} & {
        *together.locator(".head a").all_inner_texts()
    }
    tea.get_by_role("link").click()
    expect(together.get_by_role("link", name="Tea two")).to_be_visible()
    crumbs = page.get_by_role("navigation", name="Way here")
    expect(crumbs.get_by_role("listitem")).to_have_text(["Storefront", "Coffee one", "Tea one"])
    crumbs.get_by_role("link", name="Coffee one").click()
    expect(crumbs.get_by_role("listitem")).to_have_text(["Storefront", "Coffee one"])
    page.go_back()
    expect(page.get_by_role("heading", level=2, name="Tea one")).to_be_visible()
    crumbs.get_by_role("link", name="Storefront").click()
    expect(page.get_by_role("heading", level=2, name="Guest")).to_be_visible()


def test_not_enough_data_is_said(page: Page) -> None:
    page.goto("/#/p/tea-3")
    told = page.get_by_text("Not enough data")
    expect(told).to_have_count(2)
    expect(page.get_by_role("heading", level=2)).to_have_text(["Cart", "Product tea-3"])


def test_a_cart_changes_a_guests_answers_at_once(page: Page, up: Service) -> None:
    page.goto("/")
    assert "Coffee one" in card_names(page, FOR_YOU)
    page.locator(POPULAR).get_by_role("button", name="Add Coffee one to the cart").click()
    expect(page.locator(FOR_YOU)).to_contain_text("With 1 product in the cart")
    with_it = httpx.post(f"{up.url}/v1/cart/recommendations", json={"cart": ["coffee-1"]}).json()["items"]
    expect(page.locator(f"{FOR_YOU} .card").first).to_contain_text(with_it[0]["name"])
    assert card_names(page, FOR_YOU) == [item["name"] or f"Product {item['product']}" for item in with_it]
    page.get_by_role("button", name="Remove Coffee one from the cart").click()
    expect(page.locator(FOR_YOU)).to_contain_text("Nothing is known yet")
    expect(page.locator(FOR_YOU).get_by_role("link", name="Coffee one")).to_be_visible()


def test_the_toggles_narrow_what_is_shown(page: Page) -> None:
    page.goto("/")
    enter(page, bundles.ANNA)
    own = page.locator(f"{FOR_YOU} .card")
    expect(own).to_have_count(5)
    page.get_by_label("In stock only").uncheck()
    expect(own).to_have_count(6)
    page.get_by_text("Buy again").click()
    expect(own).to_have_count(2)
    page.get_by_text("Discover").click()
    expect(own).to_have_count(4)
    page.get_by_role("combobox", name="Category", exact=True).select_option("tea")
    expect(own).to_have_count(3)
    assert card_names(page, POPULAR) == ["Tea one", "Tea two", "Product tea-3"]
    page.get_by_role("combobox", name="Category", exact=True).select_option("")
    page.get_by_text("Anything", exact=True).click()
    expect(own).to_have_count(6)
    page.get_by_role("combobox", name="Variety", exact=True).select_option("1")
    expect(own.nth(1)).to_contain_text("tea ·")
    page.get_by_role("combobox", name="Category", exact=True).select_option("coffee")
    page.get_by_text("Buy again").click()
    expect(own).to_have_count(2)


def test_nothing_that_fits_is_said(page: Page) -> None:
    page.goto("/")
    enter(page, bundles.ANNA)
    page.get_by_text("Buy again").click()
    page.get_by_role("combobox", name="Category", exact=True).select_option("tea")
    expect(page.locator(FOR_YOU)).to_contain_text("Nothing fits. Ease what is to be shown.")


def test_the_fold_out_holds_a_line_that_asks_the_same(page: Page) -> None:
    page.goto("/")
    card_names(page, FOR_YOU)
    fold = page.locator(f"{FOR_YOU} details")
    fold.locator("summary").click()
    expect(fold).to_contain_text(re.compile(r"POST · 200 · [\d.]+ ms · 5 items"))
    expect(fold).to_contain_text("POST /v1/cart/recommendations")
    line = fold.get_by_role("group", name="In a terminal").inner_text()
    said = subprocess.run([*shlex.split(line), "--silent"], check=True, capture_output=True, text=True).stdout
    assert json.loads(said) == json.loads(fold.get_by_role("group", name="Answer").inner_text())


def test_thumbs_are_events_of_the_customer(page: Page, up: Service) -> None:
    page.goto("/")
    enter(page, "C-17")
    path = f"{up.url}/v1/customers/C-17/recommendations"
    assert httpx.get(path).json()["known"] is False
    page.locator(FOR_YOU).get_by_role("button", name="More like Coffee one").click()
    expect(page.get_by_role("status")).to_have_text("Coffee one goes with the taste from now on")
    assert httpx.get(path).json()["known"] is True
    page.locator(FOR_YOU).get_by_role("button", name="Never show Tea one again").click()
    expect(page.locator(FOR_YOU).get_by_role("link", name="Tea one")).to_have_count(0)
    assert "tea-1" not in [item["product"] for item in httpx.get(path).json()["items"]]


def test_a_guests_thumbs_count_on_the_page_alone(page: Page) -> None:
    page.goto("/")
    page.locator(FOR_YOU).get_by_role("button", name="More like Coffee one").click()
    expect(page.locator(FOR_YOU)).to_contain_text("After a thumb up for Coffee one")
    page.locator(FOR_YOU).get_by_role("button", name="Never show Tea one again").click()
    expect(page.locator(FOR_YOU).get_by_role("link", name="Tea one")).to_have_count(0)


def test_what_fails_is_said_and_may_be_tried_again(page: Page) -> None:
    page.route("**/v1/popular*", lambda route: route.abort())
    page.goto("/")
    alert = page.locator(POPULAR).get_by_role("alert")
    expect(alert).to_contain_text("The service gives no answer. Is it still running?")
    page.unroute("**/v1/popular*")
    alert.get_by_role("button", name="Try again").click()
    expect(page.locator(POPULAR).get_by_role("link", name="Tea one")).to_be_visible()
    page.goto("/#/p/nothing-of-ours")
    expect(page.get_by_role("alert").first).to_contain_text("the catalogue has no product of this id")


def test_without_a_model_the_page_says_why(browser: Browser) -> None:
    app = create_app(ServingState(None, "the night has not come"), bundles.KEY)
    with served(app) as url, open_page(browser, url) as page:
        page.goto("/")
        expect(page.locator("#status")).to_contain_text("No model is live yet")
        expect(page.locator("#status")).to_contain_text("the night has not come")
        expect(page.locator(FOR_YOU).get_by_role("alert")).to_contain_text("(503)")


def test_what_takes_long_is_shown_as_loading(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/popular*", hold)
    page.goto("/")
    expect(page.locator(f"{POPULAR} .skeleton")).to_have_count(4)
    held[0].continue_()
    assert len(card_names(page, POPULAR)) == 5
    assert page.locator(".skeleton").count() == 0


def test_the_keyboard_alone_does(page: Page) -> None:
    page.goto("/")
    card_names(page, FOR_YOU)

    def tab_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            focused = page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.innerText")
            if focused == name:
                return
        pytest.fail(f"no way by Tab to {name}")

    tab_to("Skip to the content")
    tab_to("Add Tea one to the cart")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove Tea one from the cart")).to_be_visible()
    expect(page.locator(f"{FOR_YOU} .list")).not_to_have_attribute("aria-busy", "true")
    assert page.evaluate("document.activeElement.closest('.list') !== null")  # where it was, not at the top
    tab_to("Coffee one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2, name="Coffee one")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2, name="Guest")).to_be_visible()
    page.get_by_label("In stock only").focus()
    page.keyboard.press("Space")
    expect(page.get_by_label("In stock only")).not_to_be_checked()


@pytest.mark.parametrize("path", ["/", "/#/p/coffee-1", "/docs", "/sign-in"])
def test_a_narrow_screen_needs_no_scrolling_aside(browser: Browser, up: Service, path: str) -> None:
    with open_page(browser, up.url, viewport={"width": 360, "height": 780}) as page:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_page_is_light(page: Page) -> None:
    sizes = []
    page.on("response", lambda response: sizes.append(len(response.body())))
    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert len(sizes) >= 12
    assert sum(sizes) < 100_000
