"""How soon a browser shows the storefront, and how much it loads."""

import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Response, sync_playwright

from benchmarks.serving import BENTO, prepare_home, running
from benchmarks.synthetic import bundle

PRODUCTS, VISITS = 100_000, 15
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
CARDS = "document.querySelectorAll('#for-you .reason').length && performance.now()"


@dataclass(frozen=True)
class Visit:
    """Milliseconds to the first paint and to the recommendations, bytes of all bodies, and requests."""

    paint: float
    cards: float
    size: int
    requests: int


def compare(folder: Path) -> str:
    """Returns the times of visits with an empty cache, in Debian's Chromium."""
    home = prepare_home(folder, bundle(PRODUCTS))
    with running(home, BENTO) as url, sync_playwright() as playwright:
        # Chromium's sandbox needs rights that containers lack.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        visits = [_visit(browser, url) for _ in range(VISITS + 1)][1:]
        browser.close()
    paint, cards = sorted(visit.paint for visit in visits), sorted(visit.cards for visit in visits)
    return (
        "## The storefront\n\n"
        f"{PRODUCTS:,} products, Chromium on the same machine, {VISITS} visits with an empty cache. Median\n"
        f"time to the first paint: {statistics.median(paint):.0f} ms (longest {paint[-1]:.0f}), to the\n"
        f"recommendations: {statistics.median(cards):.0f} ms (longest {cards[-1]:.0f});"
        f" {visits[0].size / 1000:.0f} kB in {visits[0].requests} requests.\n"
    )


def _visit(browser: Browser, url: str) -> Visit:
    # The page's content security policy forbids eval, with which Playwright polls for the cards.
    page, responses = browser.new_context(bypass_csp=True).new_page(), list[Response]()

    def collect(response: Response) -> None:
        responses.append(response)

    page.on("response", collect)
    page.goto(url)
    cards = page.wait_for_function(CARDS, polling="raf").json_value()
    page.wait_for_load_state("networkidle")
    size = sum(len(response.body()) for response in responses)
    visit = Visit(page.evaluate(FIRST_PAINT), cards, size, len(responses))
    page.context.close()
    return visit
