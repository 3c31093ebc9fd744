"""Customer ids of a shop that look like the service's marked pseudonyms: they are hashed like all ids."""

import csv
import datetime as dt

import pyarrow.compute as pc
import pytest
from homes import fresh_home

from pipelines import columns as c
from pipelines import nightly
from pipelines.lake import tables
from pipelines.privacy import forget_one, forgotten
from pipelines.settings import customer_key
from serving.live import events
from serving.live.events import Event
from serving.live.identity import pseudonym

FIRST, DAYS = dt.date(2026, 9, 1), 20
COLUMNS = (c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE)
MAPPING = "[columns]\n" + "".join(f'{name} = "{name}"\n' for name in COLUMNS)
VICTIM = "a" * 64  # a customer of the service, known by events alone
PHONE = "79165396205"
MARKED = (f"pseudonym:{PHONE}", f"pseudonym:{VICTIM}", f"pseudonym:pseudonym:{VICTIM}")


def lines():
    """Yields 20 orders of three lines for each day; some customers' ids are marked like pseudonyms."""
    for day in range(DAYS):
        for order in range(20):
            at = dt.datetime.combine(FIRST + dt.timedelta(days=day), dt.time(8 + order % 12, day, order))
            number = (order * 3 + day) % 40
            customer = MARKED[number] if number < len(MARKED) else f"c{number}"
            for line in range(3):
                product = (order + 7 * line + day) % 25
                yield [f"{day}-{order}", at.isoformat(), customer, f"p{product}", 1, 5 + product]


@pytest.fixture
def lake(tmp_path):
    """The lake after a nightly run of that shop, whose service has a purchase of the VICTIM."""
    with fresh_home(tmp_path):
        (tmp_path / "mapping.toml").write_text(MAPPING)
        with (tmp_path / "orders.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *lines()])
        store = forgotten.open_store()
        at = dt.datetime.combine(FIRST + dt.timedelta(days=DAYS - 1), dt.time(12), dt.UTC)
        bought = Event(VICTIM, "p24x", "purchase", int(at.timestamp()) * 1_000_000, None, 7.5)
        events.add(store, [bought])
        store.close()
        night = nightly.begin(
            as_of=str(FIRST + dt.timedelta(days=DAYS - 1)),
            source="files",
            path=str(tmp_path / "orders.csv"),
            mapping=str(tmp_path / "mapping.toml"),
        )
        for step in ("extract", "validate", "prepare"):
            nightly.run(step, night)
        yield tmp_path / "lake"


def customers(table):
    return set(tables.read(table)[c.CUSTOMER].unique().to_pylist()) - {None}


def test_a_shops_own_ids_stay_in_raw_however_they_begin(lake):
    expected = {pseudonym(customer, customer_key()) for customer in MARKED}
    for table in (tables.ORDERS, tables.INTERACTIONS, tables.BASKETS):
        assert expected <= customers(table)
        assert not [customer for customer in customers(table) if PHONE in customer]
    for path in lake.rglob("*"):
        if path.is_file() and path.relative_to(lake).parts[0] != "raw":
            assert PHONE.encode() not in path.read_bytes(), path


def test_a_shop_adds_no_purchase_to_a_customer_of_the_service(lake):
    orders = tables.read(tables.ORDERS)
    of_victim = orders.filter(pc.equal(orders[c.CUSTOMER], VICTIM))
    assert of_victim[c.PRODUCT].to_pylist() == ["p24x"]


@pytest.mark.parametrize("customer", MARKED)
def test_such_a_customer_is_forgotten_everywhere(lake, customer):
    report = forget_one.forget(customer)
    assert sum(count for table, count in report.before.items() if table.startswith("raw/orders")) > 0
    assert min(report.before[table] for table in (tables.ORDERS, tables.BASKETS)) > 0
    assert report.total_remaining == 0
    assert pseudonym(customer, customer_key()) not in customers(tables.ORDERS)
    raw = [path.read_bytes() for path in (lake / "raw").rglob("*.parquet")]
    assert PHONE not in customer or not [content for content in raw if PHONE.encode() in content]
