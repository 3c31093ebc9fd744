"""What a night found is kept, and the next night compares itself with the last that wasn't stopped."""

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest

from expectations.context import Finding
from expectations.measure import Measure
from expectations.suites import Rule
from pipelines import columns as c
from pipelines.lake import tables
from pipelines.run.night import Night
from pipelines.validate import history
from pipelines.validate.history import Verdict
from pipelines.validate.profile import SAMPLE

pytestmark = pytest.mark.usefixtures("home")

FIRST = dt.date(2026, 1, 28)
RULES = [
    Rule("orders", "orders", "critical", 0.5, 4.0, "orders are missing"),
    Rule("orders", "orders", "warning", 0.8, None, "an unusual day"),
    Rule("orders", "silence", "critical", None, 7.0, "nothing came"),
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
    """Records a night that took the measures given, or that of the orders alone."""
    taken = [Measure("orders", day(number), 0.9, "9 orders")] if measures is None else measures
    verdict = Verdict(outcome, findings, received(number))
    history.record(source, night(number, "a sale" if outcome == "let pass" else ""), verdict, RULES, taken)


def remembered(source="files", customers=3, sold=1.0):
    days = pd.DataFrame({c.ORDERS: sold}, pd.date_range(FIRST, periods=2, name=c.DAY))
    ids = [f"{number:06}" for number in range(customers)]
    history.remember(source, days, pa.table({c.CUSTOMER: pa.array(ids, pa.string())}))
    return days, ids


def results(source="files", until=9):
    return [
        (rows[0]["as_of"], rows[0]["outcome"], rows[0]["reason"])
        for rows in (table.to_pylist() for table in history.nights(source, day(until)))
    ]


def test_a_night_is_kept_with_what_each_rule_said_of_each_day():
    far, near = Measure("orders", day(0), 0.1, "1 order"), Measure("orders", day(1), 0.7, "7 orders")
    silence, other = Measure("silence", day(1), 0.0, "0 days"), Measure("clock", day(1), 0.0, "on time")
    findings = [Finding(RULES[0], (far,)), Finding(RULES[1], (far, near))]
    recorded(1, "stopped", findings=findings, measures=[far, near, silence, other])
    (table,) = history.nights("files", day(1))
    assert table.schema == history.RESULTS
    rows = table.to_pylist()
    told = [(row["severity"], row["measure"], row["day"], row["value"], row["met"]) for row in rows]
    assert told == [
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


def test_nights_come_latest_first_up_to_a_day():
    for number in (1, 3, 2):
        recorded(number)
    assert [as_of for as_of, _, _ in results()] == [day(3), day(2), day(1)]
    assert [as_of for as_of, _, _ in results(until=2)] == [day(2), day(1)]
    assert results(until=0) == []


def test_a_rerun_takes_the_nights_place():
    recorded(1, "stopped")
    recorded(2)
    recorded(1, "let pass")
    assert results() == [(day(2), "passed", None), (day(1), "let pass", "a sale")]


def test_the_last_that_passed_brings_what_it_knew():
    days, ids = remembered()
    recorded(0)
    found = history.last_passed("files", day(1))
    assert (found.as_of, found.received_until) == (day(0), received(0))
    pd.testing.assert_frame_equal(found.days, days, check_freq=False)
    assert found.customers[c.CUSTOMER].to_pylist() == ids


def last(before, source="files"):
    found = history.last_passed(source, day(before))
    return found and found.as_of


def test_stopped_nights_are_passed_over_and_nights_let_pass_count():
    remembered()
    for number, outcome in enumerate(["passed", "stopped", "let pass", "stopped", "stopped"]):
        recorded(number, outcome)
    assert [last(before) for before in range(7)] == [None, day(0), day(0), day(2), day(2), day(2), day(2)]


def test_a_night_isnt_its_own_predecessor():
    remembered()
    recorded(0)
    recorded(2)
    assert (last(2), last(3), last(0)) == (day(0), day(2), None)


def test_without_a_night_that_passed_there_is_none():
    assert last(5) is None
    recorded(0, "stopped")
    assert last(5) is None


def test_each_source_has_a_history_of_its_own():
    remembered("files", sold=1.0)
    recorded(0, source="files")
    remembered("sql", sold=2.0)
    recorded(1, "stopped", source="sql")
    assert (last(3, "files"), last(3, "sql")) == (day(0), None)
    recorded(2, source="sql")
    assert (last(3, "files"), last(3, "sql"), last(3, "shop-api")) == (day(0), day(2), None)
    sold = {source: history.last_passed(source, day(3)).days[c.ORDERS].iloc[0] for source in ("files", "sql")}
    assert sold == {"files": 1.0, "sql": 2.0}


def test_at_most_a_sample_of_the_customers_is_remembered():
    _, ids = remembered(customers=SAMPLE + 5)
    kept = tables.read(tables.CUSTOMERS.format(source="files"))
    assert kept[c.CUSTOMER].to_pylist() == ids[:SAMPLE]
