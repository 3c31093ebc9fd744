"""A running service for browser tests, and a reader of the cards on its pages."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page
from processes import Service, service, wait_for

from serving.bundle.files import save
from serving.bundle.format import Bundle

VERDICT = {"verdict": "PROMOTED", "reasons": ["for-you: no worse than the champion"]}


@contextmanager
def running_service(home: Path, bundle: Bundle, **settings: object) -> Iterator[Service]:
    """Yields a real service that loads a bundle from disk at its start, as without a registry."""
    folder = home / ".nightshelf" / "bundles"
    save(bundle, folder / "7-1")
    (folder / "served").write_text(json.dumps({"name": "7-1", "verdict": VERDICT}))
    with service(home, **settings) as running:
        wait_for(f"{running.url}/readyz", 200, running.process)
        yield running


def card_names(page: Page, section: str) -> list[str]:
    """Returns the product names on the cards of a section, after it has loaded."""
    page.wait_for_selector(f"{section} .list:not([aria-busy]) > *")
    return page.locator(f"{section} .card .head a").all_inner_texts()
