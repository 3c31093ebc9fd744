"""A service with telling shoppers, and what is read off its pages."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page
from processes import Service, service, wait_for

from serving.bundle.format import Bundle, save

VERDICT = {"verdict": "PROMOTED", "reasons": ["for-you: no worse than the champion"]}


@contextmanager
def serving(home: Path, bundle: Bundle) -> Iterator[Service]:
    """A real service of a bundle, which it finds as the last one that it served."""
    folder = home / ".nightshelf" / "bundles"
    save(bundle, folder / "7-1")
    (folder / "served").write_text(json.dumps({"name": "7-1", "verdict": VERDICT}))
    with service(home) as up:
        wait_for(f"{up.url}/readyz", 200, up.process)
        yield up


def names(page: Page, section: str) -> list[str]:
    """The names on the cards of a section that is there."""
    page.wait_for_selector(f"{section} .list:not([aria-busy]) > *")
    return page.locator(f"{section} .card .head a").all_inner_texts()
