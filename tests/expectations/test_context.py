"""The checkpoints on real tables: what stops a night, what is only told, and the Data Docs."""

import datetime as dt
from pathlib import Path

import pytest

from expectations import context, suites
from pipelines import columns as c

NIGHT = dt.date(2026, 1, 31)
ORDERS = (
    f"{c.ORDER_ID} string, {c.ORDERED_AT} timestamp, {c.CUSTOMER} string, {c.PRODUCT} string,"
    f" {c.QUANTITY} double, {c.UNIT_PRICE} double"
)
INTERACTIONS = (
    f"{c.CUSTOMER} string, {c.PRODUCT} string, {c.DAY} date, {c.QUANTITY} double, {c.RETURNED} double,"
    f" {c.ORDERS} int"
)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    return context.open_context(tmp_path_factory.mktemp("gx"))


@pytest.fixture
def found(checkpoints):
    """A function from a table and its suite to what the suite finds, as (severity, why)."""

    def check(rows, suite):
        told = context.check(checkpoints, suite.name, rows, suite)
        assert all(finding.table == suite.name for finding in told)
        return [(finding.severity, finding.expectation) for finding in told]

    return check


@pytest.fixture
def orders(spark):
    def made(days_ago=0, customers=("ann", "ann", None), rows=20):
        at = dt.datetime(2026, 1, 31, 12) - dt.timedelta(days=days_ago)
        lines = [(str(n), at, customers[n % len(customers)], f"P{n}", 1.0, 2.5) for n in range(rows)]
        return spark.createDataFrame(lines, ORDERS)

    return made


@pytest.fixture
def interactions(spark):
    def made(products=10, customer="ann", quantity=1.0):
        rows = [(customer, f"P{n}", NIGHT, quantity, 0.0, 1) for n in range(products)]
        return spark.createDataFrame(rows, INTERACTIONS)

    return made


def test_good_tables_pass(found, orders, interactions):
    assert found(orders(), suites.orders(NIGHT)) == []
    assert found(orders(days_ago=suites.FRESH_DAYS), suites.orders(NIGHT)) == []
    assert found(interactions(), suites.interactions()) == []


def test_a_missing_column_is_critical(found, orders):
    told = found(orders().drop(c.CUSTOMER), suites.orders(NIGHT))
    assert ("critical", "the columns are the known ones") in told


def test_no_rows_are_critical(found, orders, interactions):
    assert ("critical", "there is at least one order line") in found(orders(rows=0), suites.orders(NIGHT))
    empty = found(interactions(products=0), suites.interactions())
    assert ("critical", "there is at least one interaction") in empty


def test_too_many_strangers_are_critical(found, orders):
    told = found(orders(customers=("ann", None, None)), suites.orders(NIGHT))
    assert told == [("critical", "at least half of the lines have a customer")]


def test_stale_orders_are_a_warning(found, orders):
    told = found(orders(days_ago=suites.FRESH_DAYS + 1), suites.orders(NIGHT))
    assert told == [("warning", f"the last order is at most {suites.FRESH_DAYS} days old")]


@pytest.mark.parametrize(
    ("changed", "severity", "why"),
    [
        ({"products": 9}, "warning", "at least ten products were bought"),
        ({"customer": None}, "critical", "every row has a customer"),
        ({"quantity": -1.0}, "critical", "no negative units"),
        ({"quantity": 100_001.0}, "warning", "nobody bought more than 100000 of a product in a day"),
    ],
)
def test_bad_interactions_are_told(found, interactions, changed, severity, why):
    assert found(interactions(**changed), suites.interactions()) == [(severity, why)]


def test_data_docs_are_written_and_name_the_suites(checkpoints, found, orders):
    found(orders(), suites.orders(NIGHT))
    checkpoints.build_data_docs()
    site = Path(checkpoints.root_directory) / "uncommitted" / "data_docs" / "local_site"
    assert "orders" in (site / "index.html").read_text()
    pages = [page.read_text() for page in site.glob("validations/orders/**/*.html")]
    assert pages
    assert all(c.ORDERED_AT in page for page in pages)
