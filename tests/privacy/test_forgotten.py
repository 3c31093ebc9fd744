"""Forgetting a customer between nightly runs: no row remains or returns, and other customers keep theirs.

Purchases reported to the service enter the nightly run once.
"""

import csv
import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
from homes import fresh_home
from typer.testing import CliRunner

from pipelines import columns as c
from pipelines import nightly
from pipelines.cli import app
from pipelines.extract import events, raw
from pipelines.extract.staging import Staging
from pipelines.lake import tables
from pipelines.privacy import forget_one, forgotten
from pipelines.run import tracking
from pipelines.settings import customer_key
from serving.errors import NightshelfError
from serving.live import erasures
from serving.live import events as store_events
from serving.live.changes import FORGOTTEN_UNTIL
from serving.live.events import Event
from serving.live.identity import pseudonym
from serving.live.tables import forgotten as forgotten_table

FIRST = dt.date(2026, 9, 1)
DAYS = 20
COLUMNS = (c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE)
MAPPING = "[columns]\n" + "".join(f'{name} = "{name}"\n' for name in COLUMNS)
PERSON, OTHER = "+7 (916) 539-6205", "c6"
DIGITS = "79165396205"
TABLES = (tables.ORDERS, tables.INTERACTIONS, tables.BASKETS)


def lines(day):
    """Yields a day's order lines: 20 orders of 3 lines by 40 recurring customers, one of them PERSON."""
    for order in range(20):
        at = dt.datetime.combine(FIRST + dt.timedelta(days=day), dt.time(8 + order % 12, day, order))
        number = (order * 3 + day) % 40
        for line in range(3):
            product = (order + 7 * line + day) % 25
            customer = PERSON if number == 5 else f"c{number}"
            yield [f"{day}-{order}", at.isoformat(), customer, f"p{product}", 1, 5 + product]


class Shop:
    """A shop whose orders are a folder with one file per day."""

    def __init__(self, folder):
        self.folder, self.mapping = folder / "orders", folder / "mapping.toml"
        self.folder.mkdir()
        self.mapping.write_text(MAPPING)

    def put(self, day, rows):
        with (self.folder / f"{day:03}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])

    def run(self, day, **options):
        """Runs extract, validate and prepare as of a day, and returns the run and its counts."""
        as_of = str(FIRST + dt.timedelta(days=day))
        night = nightly.begin(
            as_of=as_of, source="files", path=str(self.folder), mapping=str(self.mapping), **options
        )
        nightly.run("extract", night)
        counts = nightly.run("validate", night)
        nightly.run("prepare", night)
        return night, counts


@pytest.fixture
def shop(tmp_path):
    with fresh_home(tmp_path):
        shop = Shop(tmp_path)
        for day in range(DAYS):
            shop.put(day, lines(day))
        shop.run(DAYS - 1)
        yield shop


@pytest.fixture
def store(shop):
    store = forgotten.open_store()
    yield store
    store.close()


def pseudonym_of(customer):
    return pseudonym(customer, customer_key())


def microseconds(day, hour=12):
    at = dt.datetime.combine(FIRST + dt.timedelta(days=day), dt.time(hour), dt.UTC)
    return int(at.timestamp()) * 1_000_000


def report_purchase(store, customer, product, day, price=7.5):
    store_events.add(
        store, [Event(pseudonym_of(customer), product, "purchase", microseconds(day), None, price)]
    )


def rows_of(table, customer):
    rows = tables.read(table)
    return rows.filter(pc.equal(rows[c.CUSTOMER], pseudonym_of(customer)))


def raw_rows():
    (source,) = (name for name in tables.entries("raw/orders") if events.SOURCE_NAME not in name)
    return raw.read(raw.pulls(source.removeprefix("source=")), [c.CUSTOMER, c.ORDERED_AT])


def test_forget_removes_the_customer_from_every_location_and_no_one_else(shop, store):
    report_purchase(store, PERSON, "p3", DAYS - 1)
    shop.run(DAYS - 1)
    tables.write(tables.EVALUATION.format(day="2026-09-20", run="1"), tables.read(tables.BASKETS))
    Staging("files-of-another-shop", {}).write(0, [_page()], {"note": 1})
    before = {table: tables.read(table).num_rows for table in TABLES}
    erased = {table: rows_of(table, PERSON).num_rows for table in TABLES}
    assert min(erased.values()) > 0

    result = CliRunner().invoke(app, ["forget", DIGITS])
    assert result.exit_code == 0, result.output
    locations = ("raw/orders", "staging", *TABLES, "customers", "evaluation", "events of the service")
    assert [location for location in locations if location not in result.output] == []
    counts = {table: tables.scan(table).count().to_pyarrow().as_py() for table in TABLES}
    assert counts == {table: before[table] - erased[table] for table in TABLES}
    person = forgotten.from_times(erasures.pending(store))
    other = forgotten.ForgottenCustomers({pseudonym_of(OTHER): "2026-12-31"})
    assert forgotten.count_remaining(person).total() == 0
    assert forgotten.count_remaining(other).total() > 0
    staged = Staging("files-of-another-shop", {})
    assert [page[c.CUSTOMER].to_pylist() for page in staged.read()] == [["c7", None]]
    assert staged.note(0) == {"note": 1}


def _page():
    lines = [["1", "2026-09-20", customer, "p1", "1", "5"] for customer in (DIGITS, "c7", None)]
    columns = {name: [line[index] for line in lines] for index, name in enumerate(COLUMNS)}
    return pa.table(columns | {c.LINE: [1, 2, 3]})


def test_remaining_rows_are_counted_and_are_an_error(home, monkeypatch):
    orders = {c.CUSTOMER: [pseudonym_of(PERSON), pseudonym_of(OTHER), None, pseudonym_of(PERSON)]}
    tables.write(tables.BASKETS, pa.table(orders))
    tables.write(tables.BASKETS, pa.table(orders))  # the previous version is kept
    monkeypatch.setattr(forgotten, "scrub", lambda customers: {})
    result = CliRunner().invoke(app, ["forget", PERSON])
    assert result.exit_code == 1
    assert forget_one.forget(PERSON).remaining == {tables.BASKETS: 4, forget_one.SERVICE_EVENTS: 0}
    monkeypatch.undo()
    report = forget_one.forget(DIGITS)
    assert (report.before[tables.BASKETS], report.total_remaining) == (4, 0)
    assert tables.read(tables.BASKETS)[c.CUSTOMER].to_pylist() == [pseudonym_of(OTHER), None]


def test_an_empty_id_is_an_error(home):
    result = CliRunner().invoke(app, ["forget", " "])
    assert isinstance(result.exception, NightshelfError)


def test_the_sources_old_orders_stay_forgotten_and_a_later_order_is_that_of_a_new_customer(shop, store):
    forget_one.forget(PERSON)
    with store.transaction() as connection:  # as if forgotten on the last day
        connection.execute(sa.update(forgotten_table).values(at=microseconds(DAYS - 1)))
    shop.put(
        DAYS, [*lines(DAYS), ["again", f"{FIRST + dt.timedelta(days=DAYS)}T09:00:00", DIGITS, "p1", 1, 6]]
    )
    night, _ = shop.run(DAYS, full=True, let_pass="a customer was forgotten")
    days = {
        str(at)[:10]
        for customer, at in zip(*raw_rows().to_pydict().values(), strict=True)
        if customer and pseudonym_of(customer) == pseudonym_of(PERSON)
    }
    assert days == {str(FIRST + dt.timedelta(days=DAYS))}
    assert rows_of(tables.INTERACTIONS, PERSON)[c.DAY].to_pylist() == [FIRST + dt.timedelta(days=DAYS)]
    assert erasures.pending(store) == {}
    assert int(tracking.tag(night.run_id, FORGOTTEN_UNTIL)) > microseconds(DAYS)


def test_a_reported_purchase_that_is_also_an_order_counts_once(shop, store):
    day = DAYS - 1
    ordered, *_ = rows_of(tables.ORDERS, OTHER).sort_by([(c.ORDERED_AT, "descending")]).to_pylist()
    last = (ordered[c.ORDERED_AT].date() - FIRST).days
    report_purchase(store, OTHER, ordered[c.PRODUCT], last)  # also in the shop's orders
    report_purchase(store, OTHER, "p24x", day)  # not in the shop's orders
    report_purchase(store, "new customer", "p3", day)
    report_purchase(store, OTHER, "p5", day, price=None)  # without a price
    before = tables.read(tables.ORDERS).num_rows
    _, counts = shop.run(day)
    assert counts["told_and_ordered"] == 1
    assert tables.read(tables.ORDERS).num_rows == before + 2
    new = rows_of(tables.ORDERS, "new customer").to_pylist()
    assert [(row[c.PRODUCT], row[c.QUANTITY], row[c.UNIT_PRICE]) for row in new] == [("p3", 1.0, 7.5)]
    same = [
        row for row in rows_of(tables.INTERACTIONS, OTHER).to_pylist() if row[c.PRODUCT] == ordered[c.PRODUCT]
    ]
    assert [row[c.ORDERS] for row in same if row[c.DAY] == ordered[c.ORDERED_AT].date()] == [1]
    erasures.forget(store, pseudonym_of("new customer"))
    shop.run(day)
    assert rows_of(tables.ORDERS, "new customer").num_rows == 0
