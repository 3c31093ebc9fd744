"""A real browser, and a page in it that finds no fault with itself."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium without a window; the test is skipped where it isn't installed."""
    if not CHROMIUM:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        # Its sandbox wants rights that containers lack; it sees nothing but this service.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def looking(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """A page of the service, which asks nobody else and finds no fault with itself."""
    context = browser.new_context(base_url=url, **options)
    context.set_default_timeout(10_000)
    page, asked, faults = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    hosts = {urlsplit(one).netloc for one in asked if not one.startswith("data:")}
    assert hosts <= {urlsplit(url).netloc}
    # A refused request is told on the console as well, and what the page makes of it is tested.
    assert [fault for fault in faults if not fault.startswith("Failed to load resource")] == []
