"""A text of thresholds.toml is text in the Data Docs: a browser runs no script from it."""

import datetime as dt

import pytest
from browsers import chromium

from expectations import context
from expectations.measure import Measure
from expectations.suites import Expectation

DAY = dt.date(2026, 1, 31)
SCRIPT = "<script>document.title = 'attacked'</script><img src=x onerror=\"document.title = 'attacked'\">"


@pytest.fixture
def pages(tmp_path):
    """The Data Docs of a run whose expectation, with a script in its reason, is not met."""
    expectation = Expectation("orders", "lines", "critical", 10.0, None, f"{SCRIPT} & 'more'")
    context.check(tmp_path, DAY, [expectation], [Measure("lines", DAY, 5.0, "five lines")])
    return [path for path in tmp_path.rglob("*.html") if path.name != "index.html"]


def test_no_script_of_a_threshold_runs(pages):
    with chromium() as browser:
        page = browser.new_page()
        page.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
        shown = []
        for path in pages:
            page.goto(path.as_uri(), wait_until="load")
            assert page.title() != "attacked"
            shown.append(f"otherwise: {SCRIPT} & 'more'" in page.inner_text("body"))
        assert len(shown) == 2
        assert any(shown)
