"""Orders from webhooks in raw/: once, whether or not the nightly source reads them too."""

import datetime as dt

import pytest
from worlds import FilesWorld, order

from pipelines import columns as c
from pipelines.extract import events, pulls, raw
from pipelines.privacy import forgotten
from pipelines.run.progress import silent
from serving.live import events as store_events
from serving.live import orders
from serving.live.orders import Order
from serving.live.store import now_microseconds

LAST = dt.date(2026, 9, 30)
DAY = 86_400_000_000
AT = 1_789_981_200_000_000
CUSTOMER = "a" * 64


@pytest.fixture
def world(home, tmp_path):
    world = FilesWorld().at(tmp_path)
    world.put(*(order(number, day=1 + number) for number in range(5)))
    world.write()
    return world


@pytest.fixture
def store(world):
    opened = forgotten.open_store()
    yield opened
    opened.close()


def webhook(number, *products, changed=1, customer=CUSTOMER):
    lines = tuple((product, 2.0, 9.5) for product in products)
    return Order("woocommerce", str(number), customer, AT, AT + changed, lines)


def pull(world):
    """Pulls as the step `extract` does, and returns the order ids of the events in raw/."""
    pulls.pull(world.source(), LAST, False, silent)
    events.pull(world.source().name)
    rows = raw.read(
        raw.pulls(events.SOURCE_NAME), [c.ORDER_ID, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE]
    )
    return [tuple(row.values()) for row in rows.to_pylist()]


def test_an_order_that_the_source_lacks_comes_once_and_goes_when_the_source_has_it(world, store):
    orders.put(store, webhook(3, "P1"))  # raw/ has it from the source
    orders.put(store, webhook(77, "P1", "P2"))
    orders.put(store, webhook(78, "P1", customer=None))
    new = ("event:woocommerce:77", f"pseudonym:{CUSTOMER}", "P1", "2", "9.5")
    guest = ("event:woocommerce:78", None, "P1", "2", "9.5")
    assert pull(world) == [new, (*new[:2], "P2", *new[3:]), guest]
    orders.put(store, webhook(77, "P2", changed=2))
    assert pull(world) == [(*new[:2], "P2", *new[3:]), guest]
    orders.put(store, webhook(78, changed=3))  # cancelled
    world.put(order(77, day=21))
    world.write()
    assert pull(world) == []


def test_old_orders_are_deleted_once_raw_has_them(world, store, monkeypatch):
    for number in (3, 77):
        orders.put(store, webhook(number, "P1"))
    orders.put(store, webhook(79))
    now = now_microseconds() + 91 * DAY
    monkeypatch.setattr(events, "now_microseconds", lambda: now)
    pull(world)
    assert [row.order_id for rows in orders.with_lines(store) for row in rows] == ["77"]
    assert store_events.count(store, CUSTOMER) == 2
    assert orders.put(store, webhook(79)) == "removed"  # its tombstone is gone, too


def test_two_workers_store_one_order_once(store):
    for _ in range(3):
        orders.put(store, webhook(80, "P1"))
    assert store_events.count(store, CUSTOMER) == 2
