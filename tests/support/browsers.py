"""Chromium for tests, and pages that fail the test when they log an error or contact another host."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from limits import scaled
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """Yields Debian's Chromium without a window. Skips the test if Chromium is not installed.

    options: of Chromium's command line.
    """
    if not CHROMIUM:
        pytest.skip("there is no Chromium: apt-get install chromium")
    expect.set_options(timeout=scaled(5_000))
    with sync_playwright() as playwright:
        # Containers lack the rights that Chromium's sandbox needs; the browser opens only our own pages.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *options])
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """Yields a page with base URL `url`. Fails on errors in the page and on requests to other hosts."""
    context = browser.new_context(base_url=url, **options)
    context.set_default_timeout(scaled(10_000))
    page, requested, errors = context.new_page(), [], []
    page.on("request", lambda request: requested.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    hosts = {urlsplit(address).netloc for address in requested if not address.startswith("data:")}
    assert hosts <= {urlsplit(url).netloc}
    # Chromium also logs every 4xx and 5xx answer here. Tests assert separately what the page shows then.
    assert [error for error in errors if not error.startswith("Failed to load resource")] == []
