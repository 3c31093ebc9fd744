"""The storefront in a browser, on a real service."""

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
    expect(page.get_by_role("heading", level=2, name="Customer by id")).to_be_visible()


def show_guest(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Guest").click()
    expect(page.get_by_role("heading", level=2, name="Guest")).to_be_visible()


def hold(page: Page, url: str) -> list[Route]:
    """Holds back the page's requests to a URL and returns them, so that a test can continue them."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    page.route(url, keep)
    return held


def answered_names(up: Service, path: str, **params: object) -> list[str]:
    """Returns the names of the items in the service's answer, as the page shows them."""
    return shown_names(httpx.get(f"{up.url}{path}", params=params).json()["items"])


def shown_names(items: list[dict[str, str]]) -> list[str]:
    return [item["name"] or f"Product {item['product']}" for item in items]


def test_status_line_shows_the_served_model_and_its_latency(page: Page, up: Service) -> None:
    httpx.get(f"{up.url}/v1/popular")
    page.goto("/")
    status = page.locator("#status")
    expect(status).to_contain_text("Version 7")
    expect(status).to_contain_text(re.compile("trained on 21 Sept? – 20 Nov 2026"))
    expect(status).to_contain_text(re.compile(r"p99 [\d.]+ ms \(\d+ answers?, last .+\)"))
    status.get_by_text("promoted").click()
    expect(status.get_by_text("for-you: no worse than the champion")).to_be_visible()


def test_opens_with_the_customer_whose_recommendations_differ_most_from_the_popular_products(
    page: Page,
) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=2, name="Loyal to coffee")).to_be_visible()
    expect(page.get_by_role("button", name="Loyal to coffee")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Guest")).to_have_attribute("aria-pressed", "false")
    assert set(card_names(page, FOR_YOU)) - set(card_names(page, POPULAR)) == {"Кофе два"}


def test_opens_with_the_guest_if_all_customers_are_recommended_popular_products(page: Page) -> None:
    def recommend_popular(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        for shopper in body["shoppers"]:
            shopper["recommended"] = list(reversed(body["popular"]))
        route.fulfill(response=answer, json=body)

    page.route("**/v1/shoppers", recommend_popular)
    page.goto("/")
    expect(page.get_by_role("heading", level=2, name="Guest")).to_be_visible()
    expect(page.get_by_role("button", name="Guest")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("shoppers", [{"shoppers": [], "popular": [], "cut": None, "until": None}, None])
def test_opens_with_the_guest_without_example_customers(page: Page, shoppers: object) -> None:
    page.route("**/v1/shoppers", lambda route: route.fulfill(json=shoppers) if shoppers else route.abort())
    page.goto("/")
    expect(page.get_by_role("heading", level=2, name="Guest")).to_be_visible()
    assert card_names(page, FOR_YOU) == card_names(page, POPULAR)


def test_a_customer_entered_before_the_examples_are_loaded_stays(page: Page) -> None:
    held = hold(page, "**/v1/shoppers")
    page.goto("/")
    enter(page, bundles.ANNA)
    held[0].continue_()
    expect(page.get_by_role("button", name="Loyal to coffee")).to_be_visible()
    expect(page.get_by_role("heading", level=2, name="Customer by id")).to_be_visible()


def test_the_guest_is_chosen_only_once_a_click_counts(page: Page) -> None:
    held = hold(page, "**/v1/shoppers")
    page.goto("/")
    guest = page.get_by_role("button", name="Guest")
    expect(guest).to_be_disabled()
    held[0].continue_()
    expect(page.get_by_role("heading", level=2, name="Loyal to coffee")).to_be_visible()
    guest.click()
    expect(page.get_by_role("heading", level=2, name="Guest")).to_be_visible()


def test_guest_sees_the_trending_products(page: Page, up: Service) -> None:
    show_guest(page)
    expect(page.locator(FOR_YOU)).to_contain_text("Nothing is known about a guest")
    assert card_names(page, FOR_YOU) == card_names(page, POPULAR) == answered_names(up, "/v1/popular")
    expect(page.locator(BOUGHT)).to_contain_text("A guest has no purchases")


def test_example_customer_is_shown_as_of_the_cut_with_hits_marked(page: Page) -> None:
    page.goto("/")
    chips = page.get_by_role("group", name="Example customers").get_by_role("button")
    expect(chips).to_have_text(["Guest", "Loyal to coffee", "One order"])
    page.get_by_role("button", name="Loyal to coffee").click()
    about = page.locator("#about")
    expect(about).to_contain_text("Bought on 4 days before the test window, 2.5 units a day on average")
    expect(about).to_contain_text("75 % of the purchases are coffee")
    expect(about).to_contain_text("The demo shop simulates a preference for Coffee (espresso beans)")
    assert card_names(page, FOR_YOU) == ["Coffee one", "Кофе два", "Tea one"]
    assert card_names(page, POPULAR) == ["Tea one", "Tea two", "Coffee one"]
    assert card_names(page, BOUGHT) == ["Кофе два", "Tea two"]
    hits = [page.locator(f"{column} .hit .head a").all_inner_texts() for column in (FOR_YOU, POPULAR, BOUGHT)]
    assert hits == [["Кофе два"], ["Tea two"], ["Кофе два"]]
    expect(page.locator("#summary")).to_have_text(
        "Of the 3 products recommended on 23 Oct 2026, the customer bought 1 by 20 Nov 2026; "
        "of the 3 most popular products, 1."
    )


def test_today_marks_no_hits_since_the_model_was_trained_on_the_purchases(page: Page, up: Service) -> None:
    page.goto("/")
    page.get_by_role("button", name="Loyal to coffee").click()
    page.get_by_role("button", name="Today").click()
    expect(page.locator(FOR_YOU)).to_contain_text("Based on the customer's purchases")
    page.wait_for_selector(f"{FOR_YOU} .reason")
    assert card_names(page, FOR_YOU) == answered_names(up, f"/v1/customers/{bundles.ANNA}/recommendations")
    assert card_names(page, BOUGHT) == ["Кофе два", "Tea two"]
    expect(page.locator(BOUGHT)).to_contain_text(
        "Today's model was trained on these purchases, so none is marked"
    )
    assert page.locator(".hit").count() == 0


def test_any_customer_can_be_looked_up(page: Page, up: Service) -> None:
    page.goto("/")
    enter(page, "+7 (916) 539 6205")
    page.wait_for_selector(f"{FOR_YOU} [data-product=coffee-1]")
    assert card_names(page, FOR_YOU) == answered_names(up, f"/v1/customers/{bundles.ANNA}/recommendations")
    expect(page.locator(BOUGHT)).to_contain_text("Shown only for the example customers above")


def test_card_shows_catalogue_data_score_and_reason(page: Page) -> None:
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
    assert widths == ["100%", "80%"]  # its score is 1.6, the highest is 2


def test_each_category_has_one_drawing(page: Page) -> None:
    page.goto("/")
    card_names(page, POPULAR)
    drawings = page.locator(f"{POPULAR} .card").evaluate_all(
        "cards => cards.map(c => [c.textContent.includes('tea ·') ? 'tea' : 'coffee',"
        " c.querySelector('svg').outerHTML])"
    )
    assert len({category for category, _ in drawings}) == len({svg for _, svg in drawings}) == 2


def test_links_lead_from_product_to_product_and_back(page: Page) -> None:
    show_guest(page)
    page.locator(POPULAR).get_by_role("link", name="Coffee one").click()
    alternatives, together = (
        page.get_by_role("region", name=name) for name in ("Alternatives", "Bought together")
    )
    expect(page.get_by_role("heading", level=2, name="Coffee one")).to_be_focused()
    expect(alternatives.get_by_role("link", name="Кофе два")).to_be_visible()
    tea = together.locator("[data-product=tea-1]")
    expect(tea).to_contain_text("in 40 % of baskets with it, lift 1.6, 20 baskets")
    assert not {*alternatives.locator(".head a").all_inner_texts()} & {
        *together.locator(".head a").all_inner_texts()
    }
    tea.get_by_role("link").click()
    expect(together.get_by_role("link", name="Tea two")).to_be_visible()
    crumbs = page.get_by_role("navigation", name="Breadcrumbs")
    expect(crumbs.get_by_role("listitem")).to_have_text(["Storefront", "Coffee one", "Tea one"])
    crumbs.get_by_role("link", name="Coffee one").click()
    expect(crumbs.get_by_role("listitem")).to_have_text(["Storefront", "Coffee one"])
    page.go_back()
    expect(page.get_by_role("heading", level=2, name="Tea one")).to_be_visible()
    crumbs.get_by_role("link", name="Storefront").click()
    expect(page.get_by_role("heading", level=2, name="Guest")).to_be_visible()


def test_product_page_opened_by_its_url_leads_to_the_opening_customer(page: Page) -> None:
    page.goto("/#/p/coffee-1")
    expect(page.get_by_role("heading", level=2, name="Coffee one")).to_be_visible()
    page.get_by_role("navigation", name="Breadcrumbs").get_by_role("link", name="Storefront").click()
    expect(page.get_by_role("heading", level=2, name="Loyal to coffee")).to_be_visible()


def test_product_page_says_if_there_is_not_enough_data(page: Page) -> None:
    page.goto("/#/p/tea-3")
    expect(page.get_by_text("Not enough data")).to_have_count(2)
    expect(page.get_by_role("heading", level=2)).to_have_text(["Cart", "Product tea-3"])


def test_a_cart_changes_a_guests_recommendations_at_once(page: Page, up: Service) -> None:
    show_guest(page)
    assert "Coffee one" in card_names(page, FOR_YOU)
    page.locator(POPULAR).get_by_role("button", name="Add Coffee one to the cart").click()
    expect(page.locator(FOR_YOU)).to_contain_text("Based on 1 product in the cart")
    items = httpx.post(f"{up.url}/v1/cart/recommendations", json={"cart": ["coffee-1"]}).json()["items"]
    expect(page.locator(f"{FOR_YOU} .card").first).to_contain_text(items[0]["name"])
    assert card_names(page, FOR_YOU) == shown_names(items)
    page.get_by_role("button", name="Remove Coffee one from the cart").click()
    expect(page.locator(FOR_YOU)).to_contain_text("Nothing is known about a guest")
    expect(page.locator(FOR_YOU).get_by_role("link", name="Coffee one")).to_be_visible()


def test_filters_narrow_the_lists(page: Page) -> None:
    page.goto("/")
    enter(page, bundles.ANNA)
    cards = page.locator(f"{FOR_YOU} .card")
    expect(cards).to_have_count(5)
    page.get_by_label("In stock only").uncheck()
    expect(cards).to_have_count(6)
    page.get_by_text("Buy again").click()
    expect(cards).to_have_count(2)
    page.get_by_text("Discover").click()
    expect(cards).to_have_count(4)
    page.get_by_role("combobox", name="Category", exact=True).select_option("tea")
    expect(cards).to_have_count(3)
    assert card_names(page, POPULAR) == ["Tea one", "Tea two", "Product tea-3"]
    page.get_by_role("combobox", name="Category", exact=True).select_option("")
    page.get_by_text("All products", exact=True).click()
    expect(cards).to_have_count(6)
    page.get_by_role("combobox", name="Per category", exact=True).select_option("1")
    expect(cards.nth(1)).to_contain_text("tea ·")
    page.get_by_role("combobox", name="Category", exact=True).select_option("coffee")
    page.get_by_text("Buy again").click()
    expect(cards).to_have_count(2)


def test_an_empty_list_says_that_no_product_matches(page: Page) -> None:
    page.goto("/")
    enter(page, bundles.ANNA)
    page.get_by_text("Buy again").click()
    page.get_by_role("combobox", name="Category", exact=True).select_option("tea")
    expect(page.locator(FOR_YOU)).to_contain_text("No product matches the filters")


def test_curl_command_under_a_list_gets_the_same_response(page: Page) -> None:
    show_guest(page)
    card_names(page, FOR_YOU)
    details = page.locator(f"{FOR_YOU} details")
    details.locator("summary").click()
    expect(details).to_contain_text(re.compile(r"POST · 200 · [\d.]+ ms · 5 items"))
    expect(details).to_contain_text("POST /v1/cart/recommendations")
    command = [*shlex.split(details.get_by_role("group", name="curl").inner_text()), "--silent"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert json.loads(output) == json.loads(details.get_by_role("group", name="Response").inner_text())


def test_thumbs_send_events_of_the_customer(page: Page, up: Service) -> None:
    page.goto("/")
    enter(page, "C-17")
    url = f"{up.url}/v1/customers/C-17/recommendations"
    assert httpx.get(url).json()["known"] is False
    page.locator(FOR_YOU).get_by_role("button", name="More like Coffee one").click()
    expect(page.get_by_role("status")).to_have_text(
        "Coffee one counts towards the customer's taste from now on"
    )
    assert httpx.get(url).json()["known"] is True
    page.locator(FOR_YOU).get_by_role("button", name="Never show Tea one again").click()
    expect(page.locator(FOR_YOU).get_by_role("link", name="Tea one")).to_have_count(0)
    assert "tea-1" not in [item["product"] for item in httpx.get(url).json()["items"]]


def test_a_guests_thumbs_change_only_this_page(page: Page) -> None:
    show_guest(page)
    page.locator(FOR_YOU).get_by_role("button", name="More like Coffee one").click()
    expect(page.locator(FOR_YOU)).to_contain_text("Based on a thumb up for Coffee one")
    page.locator(FOR_YOU).get_by_role("button", name="Never show Tea one again").click()
    expect(page.locator(FOR_YOU).get_by_role("link", name="Tea one")).to_have_count(0)


def test_a_failed_list_shows_the_error_and_can_be_retried(page: Page) -> None:
    page.route("**/v1/popular*", lambda route: route.abort())
    show_guest(page)
    alert = page.locator(POPULAR).get_by_role("alert")
    expect(alert).to_contain_text("The service does not answer. Is it still running?")
    page.unroute("**/v1/popular*")
    alert.get_by_role("button", name="Try again").click()
    expect(page.locator(POPULAR).get_by_role("link", name="Tea one")).to_be_visible()
    page.goto("/#/p/nothing-of-ours")
    expect(page.get_by_role("alert").first).to_contain_text("catalogue has no product of this id")


def test_without_a_model_the_page_shows_the_reason(browser: Browser) -> None:
    app = create_app(ServingState(None, "no nightly run has finished"), bundles.KEY)
    with served(app) as url, open_page(browser, url) as page:
        page.goto("/")
        expect(page.locator("#status")).to_contain_text("No model is live")
        expect(page.locator("#status")).to_contain_text("no nightly run has finished")
        expect(page.locator(FOR_YOU).get_by_role("alert")).to_contain_text("(503)")


def test_a_slow_list_is_shown_as_loading(page: Page) -> None:
    held = hold(page, "**/v1/popular*")
    show_guest(page)
    expect(page.locator(f"{POPULAR} .skeleton")).to_have_count(4)
    held[0].continue_()
    assert len(card_names(page, POPULAR)) == 5
    assert page.locator(".skeleton").count() == 0


def test_the_storefront_works_with_the_keyboard_alone(page: Page) -> None:
    page.goto("/")
    card_names(page, FOR_YOU)

    def tab_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            focused = page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.innerText")
            if focused == name:
                return
        pytest.fail(f"Tab does not reach {name}")

    tab_to("Skip to the content")
    tab_to("Guest")
    page.keyboard.press("Enter")
    card_names(page, FOR_YOU)
    tab_to("Add Tea one to the cart")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove Tea one from the cart")).to_be_visible()
    expect(page.locator(f"{FOR_YOU} .list")).not_to_have_attribute("aria-busy", "true")
    assert page.evaluate("document.activeElement.closest('.list') !== null")  # focus stays in the list
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
def test_a_narrow_screen_needs_no_horizontal_scrolling(browser: Browser, up: Service, path: str) -> None:
    with open_page(browser, up.url, viewport={"width": 360, "height": 780}) as page:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_page_loads_less_than_100_kilobytes(page: Page) -> None:
    sizes = []
    page.on("response", lambda response: sizes.append(len(response.body())))
    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert len(sizes) >= 12
    assert sum(sizes) < 100_000
