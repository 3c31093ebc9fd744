"""The reports of three nightly runs: a first, one with a warning, and one that validation stopped."""

import datetime as dt
import re
from pathlib import Path

import pyarrow as pa
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import chromium, open_page
from gate_nights import day_of, prepared, run_gate, world
from homes import fresh_home
from reports import read, wrong_figures

from expectations.findings import Finding
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
EXPECTATIONS = [
    Expectation("orders", "orders", "critical", 0.2, 5.0, "orders are missing"),
    Expectation("orders", "orders", "warning", 0.5, 2.0, "orders are missing"),
]
SECTIONS = ["steps", "lines", "expectations", "models", "sweep", "rules", "service", "trend"]


@pytest.fixture(scope="module")
def shop():
    return world(SEED, nights=3)


@pytest.fixture(scope="module")
def nights(shop, tmp_path_factory):
    """The three nightly runs by number: the first, one with a warning, and one that validation stopped."""
    with fresh_home(tmp_path_factory.mktemp("home")):
        first, second = finished_night(shop, 0, 1.0), finished_night(shop, 1, 0.4)
        stopped = begin_night(shop, 2)
        record_validation(stopped, 0.1)
        with pytest.raises(NightshelfError):
            validate(stopped)
        nightly.fail(stopped, "validation rejected the nightly run: 15 orders, usual is 150 <b>")
        nightly.report(stopped)
        yield [first, second, stopped]


def validate(night):
    """A step `validate` that rejects the run."""
    with tracking.mark_failed_step(night.run_id, "validate"):
        raise NightshelfError("validation rejected the nightly run")


def begin_night(shop, number):
    """A nightly run with its tables; each run has one association rule fewer than the run before."""
    night = prepared(shop, number, SEED)
    tracking.log(night.run_id, metrics=LINES)
    first, *others = shop.products[:4]
    rows = [(first, other, 0.5 + number / 10, 4.0, 0.01, 40) for other in others[number:]]
    columns = [[row[column] for row in rows] for column in range(6)]
    second = pa.nulls(len(rows), pa.string())
    arrays = [columns[0], second, *columns[1:], [True] * len(rows)]
    tables.write(tables.RULES, pa.table(arrays, schema=association_rules.SCHEMA))
    tables.write(tables.PRODUCTS, with_script_as_name(pins.read(night, tables.PRODUCTS), first))
    pins.pin(night, tables.RULES, tables.PRODUCTS)
    return night


def with_script_as_name(products, product):
    names = [
        "<script>alert(1)</script>" if row_product == product else name
        for row_product, name in zip(
            products[c.PRODUCT].to_pylist(), products[c.NAME].to_pylist(), strict=True
        )
    ]
    return products.set_column(products.schema.get_field_index(c.NAME), c.NAME, pa.array(names))


def record_validation(night, ratio):
    """Records validation results for a nightly run with `ratio` times the usual number of orders."""
    measure = Measure("orders", night.as_of, ratio, f"{150 * ratio:.0f} orders, usual is 150", "ratio")
    broken = [item for item in EXPECTATIONS if not item.low <= ratio <= item.high]
    outcome = "stopped" if any(item.severity == "critical" for item in broken) else "passed"
    findings = [Finding(item, (measure,)) for item in broken]
    verdict = history.Verdict(outcome, findings, RECEIVED)
    history.record(SOURCE, night, verdict, EXPECTATIONS, [measure])
    tracking.log(night.run_id, tags={history.SOURCE: SOURCE})


def finished_night(shop, number, ratio):
    night = begin_night(shop, number)
    record_validation(night, ratio)
    run_gate(night)
    nightly.run("publish", night)
    nightly.run("smoke", night)
    nightly.report(night)
    return night


def report_page(night):
    return read((settings().nights / f"{night.as_of}.html").read_text())


def test_every_figure_equals_its_metric_in_mlflow(nights):
    for night in nights:
        report = report_page(night)
        assert wrong_figures(report, tracking.client(), night.run_id) == []
        assert {figure.metric for figure in report.figures if not figure.run} >= {"rows_fetched", "rows_used"}


def test_a_finished_run_shows_models_candidates_and_seconds(nights):
    _, second, _ = nights
    shown = {(figure.metric, figure.run) for figure in report_page(second).figures}
    for lane in ("for_you", "buy_again", "discover"):
        for model in ("", "champion_", "popularity_", "trend_", "repurchase_"):
            assert (f"{model}ndcg_at_10_{lane}", "") in shown
    assert ("ndcg_at_10_for_you_loyal", "") in shown
    for run in tracking.children(second.run_id):
        assert ("ndcg_at_10_for_you", run.info.run_id) in shown
        assert ("seconds", run.info.run_id) in shown
    steps = ("backtest_champion", "evaluate", "register", "gate", "publish", "smoke")
    assert {f"seconds_{step}" for step in steps} <= {metric for metric, _ in shown}


def test_the_artifact_in_mlflow_equals_the_page(nights, tmp_path):
    for night in nights:
        logged = tracking.client().download_artifacts(night.run_id, "report.html", str(tmp_path))
        assert Path(logged).read_text() == (settings().nights / f"{night.as_of}.html").read_text()


def test_a_report_loads_nothing_has_no_script_and_names_no_customer(nights):
    for night in nights:
        report = report_page(night)
        assert report.loads == []
        assert "script" not in report.tags
        html = (settings().nights / f"{night.as_of}.html").read_text()
        assert not re.search(r"url\((?!#)|@import|\bc\d{4}\b", html)


def test_every_section_has_a_sentence_however_the_run_ended(nights):
    for night in nights:
        html = (settings().nights / f"{night.as_of}.html").read_text()
        sentences = dict(re.findall(r'<section id="(\w+)"><h2>[^<]+</h2><p>([^<]+)</p>', html))
        assert list(sentences) == SECTIONS
        assert all(sentence.strip().endswith(".") for sentence in sentences.values()), sentences


def test_the_banner_shows_the_verdict(nights):
    first, second, stopped = map(report_page, nights)
    assert "Version 1 is the first model and now serves: it met all" in first.text
    assert re.search(
        "Version 2 replaces version 1|refused version 2, and version 1 keeps serving", second.text
    )
    assert "The nightly run stopped in step validate; version" in stopped.text
    assert "15 orders, usual is 150 <b>" in stopped.text


def test_expectations_are_counted_by_severity_with_the_runs_before(nights):
    _, second, stopped = map(report_page, nights)
    counts = "1 of 1 critical and 0 of 1 warning expectations are met: validation passed."
    assert f"{counts} The charts show 2 nightly runs." in second.text
    counts = "0 of 1 critical and 0 of 1 warning expectations are met: validation stopped the run."
    assert f"{counts} The charts show 3 nightly runs." in stopped.text


def test_a_stopped_run_says_that_it_has_no_models_and_candidates(nights):
    stopped = report_page(nights[2])
    assert "No model was evaluated: the nightly run did not complete step evaluate." in stopped.text
    assert "No candidate was tried: the nightly run did not complete step sweep." in stopped.text


def test_association_rules_are_compared_with_the_champions(nights):
    first, second, _ = map(report_page, nights)
    assert "There is no previous champion to compare with." in first.text
    assert "Since version 1: 0 new, 1 gone." in second.text
    assert "in 60 % of baskets with the first (before: 50 %), lift 4.0, 40 baskets" in second.text
    assert "<script>alert(1)</script> →" in first.text  # as text


def test_the_list_links_to_every_report(nights):
    index = read((settings().nights / "index.html").read_text())
    assert [link for link in index.links if link.endswith(".html")] == [
        f"{day_of(number)}.html" for number in (2, 1, 0)
    ]
    assert wrong_figures(index, tracking.client(), "") == []
    assert index.loads == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_narrow_screen_and_has_no_axe_violation(nights, scheme):
    folder, narrow = settings().nights, {"width": 360, "height": 780}
    with (
        chromium() as browser,
        open_page(browser, folder.as_uri(), color_scheme=scheme, viewport=narrow) as page,
    ):
        for name in ("index", *(str(night.as_of) for night in nights)):
            page.goto(f"{folder.as_uri()}/{name}.html")
            assert page.evaluate("document.documentElement.scrollWidth") == 360, name
            violations = Axe().run(page).response["violations"]
            assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in violations] == [], name
