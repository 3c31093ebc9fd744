"""How soon the storefront is there, and how much is sent for it."""

import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Response, sync_playwright

from benchmarks.serving import BENTO, home, served
from benchmarks.synthetic import bundle

PRODUCTS, VISITS = 100_000, 15
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
CARDS = "document.querySelectorAll('#for-you .reason').length && performance.now()"


@dataclass(frozen=True)
class Visit:
    """Milliseconds until the first paint and until the recommendations, bytes of bodies, requests."""

    paint: float
    cards: float
    size: int
    requests: int


def compare(folder: Path) -> str:
    """The storefront of a shop with 100,000 products, in Debian's Chromium, each visit the first."""
    with served(home(folder, bundle(PRODUCTS)), BENTO) as url, sync_playwright() as playwright:
        # Its sandbox wants rights that containers lack.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        visits = [_visit(browser, url) for _ in range(VISITS + 1)][1:]
        browser.close()
    paint, cards = sorted(one.paint for one in visits), sorted(one.cards for one in visits)
    return (
        "## The storefront\n\n"
        f"{PRODUCTS:,} products, Chromium on the same machine, {VISITS} visits with an empty cache: first"
        f" paint after {statistics.median(paint):.0f} ms ({paint[-1]:.0f} at most), recommendations after"
        f" {statistics.median(cards):.0f} ms ({cards[-1]:.0f}); {visits[0].size / 1000:.0f} kB in"
        f" {visits[0].requests} requests.\n"
    )


def _visit(browser: Browser, url: str) -> Visit:
    # Without its policy the page may be asked again and again, by eval, whether the cards are there.
    page, got = browser.new_context(bypass_csp=True).new_page(), list[Response]()

    def note(response: Response) -> None:
        got.append(response)

    page.on("response", note)
    page.goto(url)
    cards = page.wait_for_function(CARDS, polling="raf").json_value()
    page.wait_for_load_state("networkidle")
    found = Visit(page.evaluate(PAINTED), cards, sum(len(one.body()) for one in got), len(got))
    page.context.close()
    return found
