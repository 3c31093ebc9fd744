"""Nights at a shop from the lake's tables on, and what their reports say of them."""

import datetime as dt
import re
from pathlib import Path

import pyarrow as pa
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import chromium, open_page
from gate_nights import day_of, judged, prepared, world
from homes import fresh_home
from reports import read, wrong

from expectations.context import Finding
from expectations.measure import Measure
from expectations.suites import Expectation
from pipelines import columns as c
from pipelines import nightly
from pipelines.lake import tables
from pipelines.run import pins, tracking
from pipelines.settings import settings
from pipelines.train import association_rules
from pipelines.validate import history
from serving.errors import NightshelfError

SEED = 5
SOURCE = "a shop"
RECEIVED = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
LINES = {
    "rows_fetched": 1000,
    "rows_duplicate": 90,
    "rows_bad_price": 10,
    "rows_returned": 0,
    "rows_used": 900,
}
RULES = [
    Expectation("orders", "orders", "critical", 0.2, 5.0, "orders are missing"),
    Expectation("orders", "orders", "warning", 0.5, 2.0, "orders are missing"),
]
SECTIONS = ["steps", "lines", "expectations", "models", "sweep", "rules", "service", "trend"]


@pytest.fixture(scope="module")
def shop():
    return world(SEED, nights=3)


@pytest.fixture(scope="module")
def nights(shop, tmp_path_factory):
    """A first night, one with a warning, and one that validation stopped: the nights by number."""
    with fresh_home(tmp_path_factory.mktemp("home")):
        first, second = whole(shop, 0, 1.0), whole(shop, 1, 0.4)
        stopped = begun(shop, 2)
        validated(stopped, 0.1)
        with pytest.raises(NightshelfError):
            validate(stopped)
        nightly.fail(stopped, "validation stopped the night: 15 orders, usual is 150 <b>")
        nightly.report(stopped)
        yield [first, second, stopped]


def validate(night):
    with tracking.stopping(night.run_id, "validate"):
        raise NightshelfError("validation stopped the night")


def begun(shop, number):
    """A night with rules, of which the one of a number goes when that number is reached."""
    night = prepared(shop, number, SEED)
    tracking.log(night.run_id, metrics=LINES)
    first, *others = shop.products[:4]
    found = [(first, other, 0.5 + number / 10, 4.0, 0.01, 40) for other in others[number:]]
    columns = [[row[i] for row in found] for i in range(6)]
    none = pa.nulls(len(found), pa.string())
    arrays = [columns[0], none, *columns[1:], [True] * len(found)]
    tables.write(tables.RULES, pa.table(arrays, schema=association_rules.SCHEMA))
    tables.write(tables.PRODUCTS, renamed(pins.read(night, tables.PRODUCTS), first))
    pins.pin(night, tables.RULES, tables.PRODUCTS)
    return night


def renamed(products, product):
    names = [
        "<script>alert(1)</script>" if one == product else name
        for one, name in zip(products[c.PRODUCT].to_pylist(), products[c.NAME].to_pylist(), strict=True)
    ]
    return products.set_column(products.schema.get_field_index(c.NAME), c.NAME, pa.array(names))


def validated(night, ratio):
    """What validation keeps of a night with that many times the usual orders."""
    measure = Measure("orders", night.as_of, ratio, f"{150 * ratio:.0f} orders, usual is 150", "ratio")
    broken = [rule for rule in RULES if not rule.low <= ratio <= rule.high]
    outcome = "stopped" if any(rule.severity == "critical" for rule in broken) else "passed"
    findings = [Finding(rule, (measure,)) for rule in broken]
    verdict = history.Verdict(outcome, findings, RECEIVED)
    history.record(SOURCE, night, verdict, RULES, [measure])
    tracking.log(night.run_id, tags={history.SOURCE: SOURCE})


def whole(shop, number, ratio):
    night = begun(shop, number)
    validated(night, ratio)
    judged(night)
    nightly.run("publish", night)
    nightly.run("smoke", night)
    nightly.report(night)
    return night


def page(night):
    return read((settings().nights / f"{night.as_of}.html").read_text())


def test_every_figure_is_what_mlflow_holds_of_the_run(nights):
    for night in nights:
        found = page(night)
        assert wrong(found, tracking.client(), night.run_id) == []
        assert {one.metric for one in found.figures if not one.run} >= {"rows_fetched", "rows_used"}


def test_a_whole_night_shows_models_candidates_and_seconds(nights):
    _, second, _ = nights
    shown = {(one.metric, one.run) for one in page(second).figures}
    for lane in ("for_you", "buy_again", "discover"):
        for model in ("", "champion_", "popularity_", "trend_", "repurchase_"):
            assert (f"{model}ndcg_at_10_{lane}", "") in shown
    assert ("ndcg_at_10_for_you_loyal", "") in shown
    for run in tracking.children(second.run_id):
        assert ("ndcg_at_10_for_you", run.info.run_id) in shown
        assert ("seconds", run.info.run_id) in shown
    assert {f"seconds_{step}" for step in ("live", "evaluate", "register", "gate", "publish", "smoke")} <= {
        metric for metric, _ in shown
    }


def test_the_artifact_in_mlflow_is_the_page(nights, tmp_path):
    for night in nights:
        logged = tracking.client().download_artifacts(night.run_id, "report.html", str(tmp_path))
        assert Path(logged).read_text() == (settings().nights / f"{night.as_of}.html").read_text()


def test_it_loads_nothing_runs_nothing_and_names_no_customer(nights):
    for night in nights:
        found = page(night)
        assert found.loads == []
        assert "script" not in found.tags
        html = (settings().nights / f"{night.as_of}.html").read_text()
        assert not re.search(r"url\((?!#)|@import|\bc\d{4}\b", html)


def test_every_section_has_a_sentence_of_its_own_however_the_night_ended(nights):
    for night in nights:
        html = (settings().nights / f"{night.as_of}.html").read_text()
        found = dict(re.findall(r'<section id="(\w+)"><h2>[^<]+</h2><p>([^<]+)</p>', html))
        assert list(found) == SECTIONS
        assert all(sentence.strip().endswith(".") for sentence in found.values()), found


def test_the_banner_says_what_became_of_the_night(nights):
    first, second, stopped = map(page, nights)
    assert "Version 1 is the first model and serves: it met all" in first.text
    assert re.search(
        "Version 2 (took the place of version 1|was refused and version 1 serves on)", second.text
    )
    assert "The night stopped in the step validate; version" in stopped.text
    assert "15 orders, usual is 150 <b>" in stopped.text


def test_expectations_stand_by_severity_with_the_nights_before(nights):
    _, second, stopped = map(page, nights)
    told = "All 1 critical expectations held and 0 of 1 warning expectations held, and the night passed"
    assert f"{told}; the lines show 2 nights." in second.text
    told = "0 of 1 critical expectations held and 0 of 1 warning expectations held"
    assert f"{told}, and the night was stopped for it; the lines show 3 nights." in stopped.text


def test_a_stopped_night_has_no_models_and_says_so(nights):
    stopped = page(nights[2])
    assert "No model was measured: the night did not come that far." in stopped.text
    assert "Nothing was tried: the night did not come that far." in stopped.text


def test_rules_that_changed_since_the_champion_are_told(nights):
    first, second, _ = map(page, nights)
    assert "no version served before to compare them with" in first.text
    assert "0 are new and 1 are gone since version 1" in second.text
    assert "in 60 % of baskets with it, before in 50 %, lift 4.0, seen 40 times" in second.text
    assert "<script>alert(1)</script> →" in first.text  # as text


def test_the_list_leads_to_every_report(nights):
    found = read((settings().nights / "index.html").read_text())
    assert [link for link in found.links if link.endswith(".html")] == [
        f"{day_of(number)}.html" for number in (2, 1, 0)
    ]
    assert wrong(found, tracking.client(), "") == []
    assert found.loads == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_every_report_whole_on_a_narrow_screen_and_axe_finds_nothing(nights, scheme):
    folder, narrow = settings().nights, {"width": 360, "height": 780}
    with (
        chromium() as browser,
        open_page(browser, folder.as_uri(), color_scheme=scheme, viewport=narrow) as page,
    ):
        for name in ("index", *(str(night.as_of) for night in nights)):
            page.goto(f"{folder.as_uri()}/{name}.html")
            assert page.evaluate("document.documentElement.scrollWidth") == 360, name
            found = Axe().run(page).response["violations"]
            assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], name
