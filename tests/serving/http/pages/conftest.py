"""The service of a module, one browser, and a page of it for each test."""

from collections.abc import Iterator

import pytest
from browsers import chromium, open_page
from browsing import running_service
from playwright.sync_api import Browser, Page
from processes import Service
from shoppers import telling


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Of a module: while Playwright runs in a thread, nothing else may begin an event loop in it.
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def up(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("home"), telling()) as found:
        yield found


@pytest.fixture
def page(browser: Browser, up: Service) -> Iterator[Page]:
    with open_page(browser, up.url) as found:
        yield found
