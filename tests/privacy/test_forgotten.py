"""A person is forgotten while nights go on: nothing is left, nobody else is touched, nothing comes back.

And what the service was told of reaches the night, once.
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
from serving.live.identity import pseudonym
from serving.live.store import Event
from serving.live.store import forgotten as forgotten_table

FIRST = dt.date(2026, 9, 1)
DAYS = 20
COLUMNS = (c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE)
MAPPING = "[columns]\n" + "".join(f'{name} = "{name}"\n' for name in COLUMNS)
PERSON, OTHER = "+7 (916) 539-6205", "c6"
DIGITS = "79165396205"
TABLES = (tables.ORDERS, tables.INTERACTIONS, tables.BASKETS)


def lines(day):
    """A day of the shop: twenty orders of three lines, by customers who come again; one is the person."""
    for order in range(20):
        at = dt.datetime.combine(FIRST + dt.timedelta(days=day), dt.time(8 + order % 12, day, order))
        who = (order * 3 + day) % 40
        for line in range(3):
            product = (order + 7 * line + day) % 25
            customer = PERSON if who == 5 else f"c{who}"
            yield [f"{day}-{order}", at.isoformat(), customer, f"p{product}", 1, 5 + product]


class Shop:
    """A folder of a file per day."""

    def __init__(self, folder):
        self.folder, self.mapping = folder / "orders", folder / "mapping.toml"
        self.folder.mkdir()
        self.mapping.write_text(MAPPING)

    def put(self, day, rows):
        with (self.folder / f"{day:03}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])

    def night(self, day, **asked):
        as_of = str(FIRST + dt.timedelta(days=day))
        night = nightly.begin(
            as_of, source="files", path=str(self.folder), mapping=str(self.mapping), **asked
        )
        nightly.run("extract", night)
        counts = nightly.run("validate", night)
        nightly.run("prepare", night)
        return night, counts


@pytest.fixture
def shop(spark, tmp_path):
    with fresh_home(tmp_path):
        found = Shop(tmp_path)
        for day in range(DAYS):
            found.put(day, lines(day))
        found.night(DAYS - 1)
        yield found


@pytest.fixture
def store(shop):
    found = forgotten.open_store()
    yield found
    found.close()


def who(customer):
    return pseudonym(customer, customer_key())


def moment(day, hour=12):
    at = dt.datetime.combine(FIRST + dt.timedelta(days=day), dt.time(hour), dt.UTC)
    return int(at.timestamp()) * 1_000_000


def bought(store, customer, product, day, price=7.5):
    store.add_events([Event(who(customer), product, "purchase", moment(day), None, price)])


def rows_of(table, customer):
    rows = tables.read(table)
    return rows.filter(pc.equal(rows[c.CUSTOMER], who(customer)))


def received():
    (source,) = (name for name in tables.entries("raw/orders") if events.SOURCE_NAME not in name)
    return raw.read(raw.pulls(source.removeprefix("source=")), [c.CUSTOMER, c.ORDERED_AT])


def test_a_person_is_gone_from_every_place_and_nobody_else_is(shop, store, spark):
    bought(store, PERSON, "p3", DAYS - 1)
    shop.night(DAYS - 1)
    tables.write(tables.EVALUATION.format(day="2026-09-20", run="1"), tables.read(tables.BASKETS))
    Staging("files-of-another-shop", {}).write(0, [_page()], {"note": 1})
    before = {table: tables.read(table).num_rows for table in TABLES}
    own = {table: rows_of(table, PERSON).num_rows for table in TABLES}
    assert min(own.values()) > 0

    found = CliRunner().invoke(app, ["forget", DIGITS])
    assert found.exit_code == 0, found.output
    places = ("raw/orders", "staging", *TABLES, "customers", "evaluation", "events of the service")
    told = found.output
    assert [place for place in places if place not in told] == []
    # Spark believes that they are whole, too.
    counts = {table: tables.read_spark(spark, table).count() for table in TABLES}
    assert counts == {table: before[table] - own[table] for table in TABLES}
    gone = forgotten.from_times(store.pending_erasures())
    assert forgotten.count_remaining(gone).total() == 0
    assert forgotten.count_remaining(forgotten.ForgottenCustomers({who(OTHER): "2026-12-31"})).total() > 0
    staged = Staging("files-of-another-shop", {})
    assert [page[c.CUSTOMER].to_pylist() for page in staged.read()] == [["c7", None]]
    assert staged.note(0) == {"note": 1}


def _page():
    lines = [["1", "2026-09-20", one, "p1", "1", "5"] for one in (DIGITS, "c7", None)]
    columns = {name: [line[place] for line in lines] for place, name in enumerate(COLUMNS)}
    return pa.table(columns | {c.LINE: [1, 2, 3]})


def test_what_is_left_is_told_and_is_an_error(home, monkeypatch):
    orders = {c.CUSTOMER: [who(PERSON), who(OTHER), None, who(PERSON)]}
    tables.write(tables.BASKETS, pa.table(orders))
    tables.write(tables.BASKETS, pa.table(orders))  # the version before is kept
    monkeypatch.setattr(forgotten, "scrub", lambda gone: {})
    found = CliRunner().invoke(app, ["forget", PERSON])
    assert found.exit_code == 1
    assert forget_one.forget(PERSON).remaining == {tables.BASKETS: 4, forget_one.SERVICE_EVENTS: 0}
    monkeypatch.undo()
    found = forget_one.forget(DIGITS)
    assert (found.before[tables.BASKETS], found.total_remaining) == (4, 0)
    assert tables.read(tables.BASKETS)[c.CUSTOMER].to_pylist() == [who(OTHER), None]


def test_nobody_cannot_be_forgotten(home):
    found = CliRunner().invoke(app, ["forget", " "])
    assert isinstance(found.exception, NightshelfError)


def test_a_source_that_still_tells_brings_nothing_back_and_who_buys_again_is_new(shop, store):
    forget_one.forget(PERSON)
    with store.engine.begin() as connection:  # as if that had been on the last day
        connection.execute(sa.update(forgotten_table).values(at=moment(DAYS - 1)))
    shop.put(
        DAYS, [*lines(DAYS), ["again", f"{FIRST + dt.timedelta(days=DAYS)}T09:00:00", DIGITS, "p1", 1, 6]]
    )
    night, _ = shop.night(DAYS, full=True, let_pass="a person is forgotten")
    days = {
        str(at)[:10]
        for one, at in zip(*received().to_pydict().values(), strict=True)
        if one and who(one) == who(PERSON)
    }
    assert days == {str(FIRST + dt.timedelta(days=DAYS))}
    assert rows_of(tables.INTERACTIONS, PERSON)[c.DAY].to_pylist() == [FIRST + dt.timedelta(days=DAYS)]
    assert store.pending_erasures() == {}
    assert int(tracking.tag(night.run_id, nightly.FORGOTTEN_UNTIL)) > moment(DAYS)


def test_a_purchase_that_the_service_was_told_of_counts_once(shop, store):
    day, (ordered, *_) = (
        DAYS - 1,
        rows_of(tables.ORDERS, OTHER).sort_by([(c.ORDERED_AT, "descending")]).to_pylist(),
    )
    last = (ordered[c.ORDERED_AT].date() - FIRST).days
    bought(store, OTHER, ordered[c.PRODUCT], last)  # which the shop's orders hold
    bought(store, OTHER, "p24x", day)  # which they don't
    bought(store, "somebody new", "p3", day)
    bought(store, OTHER, "p5", day, price=None)  # of which nobody knows the price
    before = tables.read(tables.ORDERS).num_rows
    _, counts = shop.night(day)
    assert counts["told_and_ordered"] == 1
    assert tables.read(tables.ORDERS).num_rows == before + 2
    new = rows_of(tables.ORDERS, "somebody new").to_pylist()
    assert [(row[c.PRODUCT], row[c.QUANTITY], row[c.UNIT_PRICE]) for row in new] == [("p3", 1.0, 7.5)]
    same = [
        row for row in rows_of(tables.INTERACTIONS, OTHER).to_pylist() if row[c.PRODUCT] == ordered[c.PRODUCT]
    ]
    assert [row[c.ORDERS] for row in same if row[c.DAY] == ordered[c.ORDERED_AT].date()] == [1]
    store.forget(who("somebody new"))
    shop.night(day)
    assert rows_of(tables.ORDERS, "somebody new").num_rows == 0
