"""One browser and one service for each module, and a page for each test."""

from collections.abc import Iterator

import pytest
from browsers import chromium, open_page
from browsing import running_service
from playwright.sync_api import Browser, Page
from processes import Service
from shoppers import bundle_with_shoppers


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for the session: while Playwright runs in a thread, no other test may start an event loop in it.
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def up(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("home"), bundle_with_shoppers()) as service:
        yield service


@pytest.fixture
def page(browser: Browser, up: Service) -> Iterator[Page]:
    with open_page(browser, up.url) as opened:
        yield opened
