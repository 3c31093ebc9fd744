"""Validation results are kept; the last run that wasn't stopped comes with its profile."""

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest

from expectations.findings import Finding
from expectations.measure import Measure
from expectations.suites import Expectation
from pipelines import columns as c
from pipelines.lake import tables
from pipelines.run.night import Night
from pipelines.validate import history
from pipelines.validate.history import Verdict
from pipelines.validate.profile import SAMPLE

pytestmark = pytest.mark.usefixtures("home")

FIRST = dt.date(2026, 1, 28)
EXPECTATIONS = [
    Expectation("orders", "orders", "critical", 0.5, 4.0, "orders are missing"),
    Expectation("orders", "orders", "warning", 0.8, None, "an unusual day"),
    Expectation("orders", "silence", "critical", None, 7.0, "nothing came"),
]


def day(number):
    return FIRST + dt.timedelta(days=number)


def received(number):
    return dt.datetime.combine(day(number), dt.time(23, 30, 0, 5), dt.UTC)


def night(number, let_pass=""):
    return Night(
        as_of=day(number),
        source="files",
        path="orders.csv",
        mapping="plain",
        sweep="default",
        solver="auto",
        let_pass=let_pass,
        run_id=f"run {number}",
    )


def recorded(number, outcome="passed", source="files", findings=(), measures=None):
    """Records a run with these measures; by default one measure of the orders."""
    measures = [Measure("orders", day(number), 0.9, "9 orders")] if measures is None else measures
    verdict = Verdict(outcome, findings, received(number))
    history.record(
        source, night(number, "a sale" if outcome == "let pass" else ""), verdict, EXPECTATIONS, measures
    )


def save_profile(source="files", customers=3, sold=1.0):
    days = pd.DataFrame({c.ORDERS: sold}, pd.date_range(FIRST, periods=2, name=c.DAY))
    ids = [f"{number:06}" for number in range(customers)]
    history.save_profile(source, days, pa.table({c.CUSTOMER: pa.array(ids, pa.string())}))
    return days, ids


def results(source="files", until=9):
    return [
        (rows[0]["as_of"], rows[0]["outcome"], rows[0]["reason"])
        for rows in (table.to_pylist() for table in history.results(source, day(until)))
    ]


def test_keeps_the_result_of_each_expectation_on_each_day():
    far, near = Measure("orders", day(0), 0.1, "1 order"), Measure("orders", day(1), 0.7, "7 orders")
    silence, other = Measure("silence", day(1), 0.0, "0 days"), Measure("clock", day(1), 0.0, "on time")
    findings = [Finding(EXPECTATIONS[0], (far,)), Finding(EXPECTATIONS[1], (far, near))]
    recorded(1, "stopped", findings=findings, measures=[far, near, silence, other])
    (table,) = history.results("files", day(1))
    assert table.schema == history.RESULTS
    rows = table.to_pylist()
    outcomes = [(row["severity"], row["measure"], row["day"], row["value"], row["met"]) for row in rows]
    assert outcomes == [
        ("critical", "orders", day(0), 0.1, False),
        ("critical", "orders", day(1), 0.7, True),
        ("warning", "orders", day(0), 0.1, False),
        ("warning", "orders", day(1), 0.7, False),
        ("critical", "silence", day(1), 0.0, True),
    ]
    assert rows[1] == {
        "as_of": day(1),
        "run": "run 1",
        "outcome": "stopped",
        "reason": None,
        "received_until": received(1),
        "suite": "orders",
        "measure": "orders",
        "severity": "critical",
        "day": day(1),
        "value": 0.7,
        "low": 0.5,
        "high": 4.0,
        "met": True,
        "told": "7 orders",
    }


def test_results_come_newest_first_up_to_a_day():
    for number in (1, 3, 2):
        recorded(number)
    assert [as_of for as_of, _, _ in results()] == [day(3), day(2), day(1)]
    assert [as_of for as_of, _, _ in results(until=2)] == [day(2), day(1)]
    assert results(until=0) == []


def test_a_repeated_run_replaces_the_results_of_its_day():
    recorded(1, "stopped")
    recorded(2)
    recorded(1, "let pass")
    assert results() == [(day(2), "passed", None), (day(1), "let pass", "a sale")]


def test_the_last_passed_run_has_its_profile_and_customers():
    days, ids = save_profile()
    recorded(0)
    passed = history.last_passed("files", day(1))
    assert (passed.as_of, passed.received_until) == (day(0), received(0))
    pd.testing.assert_frame_equal(passed.days, days, check_freq=False)
    assert passed.customers[c.CUSTOMER].to_pylist() == ids


def last_passed(before, source="files"):
    passed = history.last_passed(source, day(before))
    return passed and passed.as_of


def test_a_run_that_was_let_pass_counts_as_passed_and_a_stopped_run_does_not():
    save_profile()
    for number, outcome in enumerate(["passed", "stopped", "let pass", "stopped", "stopped"]):
        recorded(number, outcome)
    assert [last_passed(before) for before in range(7)] == [None, *[day(0)] * 2, *[day(2)] * 4]


def test_a_run_isnt_its_own_predecessor():
    save_profile()
    recorded(0)
    recorded(2)
    assert (last_passed(2), last_passed(3), last_passed(0)) == (day(0), day(2), None)


def test_without_a_passed_run_there_is_no_last_passed_run():
    assert last_passed(5) is None
    recorded(0, "stopped")
    assert last_passed(5) is None


def test_each_source_has_its_own_history():
    save_profile("files", sold=1.0)
    recorded(0, source="files")
    save_profile("sql", sold=2.0)
    recorded(1, "stopped", source="sql")
    assert (last_passed(3, "files"), last_passed(3, "sql")) == (day(0), None)
    recorded(2, source="sql")
    assert [last_passed(3, source) for source in ("files", "sql", "shop-api")] == [day(0), day(2), None]
    sold = {source: history.last_passed(source, day(3)).days[c.ORDERS].iloc[0] for source in ("files", "sql")}
    assert sold == {"files": 1.0, "sql": 2.0}


def test_saves_at_most_a_sample_of_the_customers():
    _, ids = save_profile(customers=SAMPLE + 5)
    saved = tables.read(tables.CUSTOMERS.format(source="files"))
    assert saved[c.CUSTOMER].to_pylist() == ids[:SAMPLE]
