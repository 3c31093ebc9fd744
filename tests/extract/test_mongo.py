"""Source `mongo` on a real server of MongoDB's protocol: types, nesting, increments, kills and outages."""

import datetime as dt
import random
import uuid

import bson
import mongos
import pytest
from bson import Binary, DatetimeMS, Decimal128, Int64, ObjectId
from interrupted import fails_while_the_server_is_down, pull_killed

from pipelines import columns as c
from pipelines import extract
from pipelines.extract import mongo, pulls, raw, versions
from pipelines.extract.collection import OPTIONS
from pipelines.extract.values import as_text
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError

LAST = dt.date(2026, 9, 30)
DAY = dt.datetime(2026, 9, 21, 8, 6)
NESTED = """
[mongo]
collection = "orders"
changed = "updated"

[nested]
lines = "items"

[columns]
order_id = "_id"
ordered_at = "placed"
customer = "buyer.email"
product = "items.sku"
quantity = "items.n"
unit_price = "items.price"

[[leave_out]]
reason = "cancelled"
column = "payments.0.status"
values = ["cancelled"]
"""
FLAT = """
[mongo]
collection = "orders"
changed = "updated"

[columns]
order_id = { join = ["store", "number"] }
ordered_at = "placed"
customer = "email"
product = "sku"
quantity = "n"
unit_price = "price"
"""
LINES = [c.ORDER_ID, c.LINE, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mongos.mongo(tmp_path_factory.mktemp("mongo")) as running:
        yield running


@pytest.fixture
def shop(server, home, tmp_path, monkeypatch):
    with mongos.client(server) as client:
        client.drop_database("shop")
        yield Shop(server.url, client.shop.orders, tmp_path / "shop.toml", monkeypatch)


class Shop:
    """A collection, and the mapping that reads it."""

    def __init__(self, url, collection, file, monkeypatch):
        self.collection, self.file = collection, file
        self.file.write_text(NESTED)
        monkeypatch.setenv("NIGHTSHELF_MONGO_URL", url)
        settings.cache_clear()

    def put(self, *documents):
        self.collection.insert_many(documents)

    def source(self):
        return extract.source("mongo", "", str(self.file))

    def pull(self):
        return pulls.pull(self.source(), LAST, False, silent)["new_order_lines"]

    def raw(self, *names):
        """Returns columns of the newest version of each order."""
        columns = dict.fromkeys([c.ORDER_ID, *names, c.SOURCE, *raw.VERSION])
        rows = versions.newest_versions(raw.read(raw.pulls(self.source().name), list(columns)).to_pandas())
        return sorted(map(tuple, rows[list(names)].itertuples(index=False)))


def order(number, lines=2, updated=1, **more):
    items = [{"sku": f"P{number % 7}{line}", "n": 1 + line, "price": 9.5} for line in range(lines)]
    at = DAY + dt.timedelta(days=number % 5)
    return {
        "_id": number,
        "placed": at,
        "buyer": {"email": f"C{number}"},
        "updated": updated,
        "items": items,
    } | more


def expected(orders):
    return sorted(
        (str(given["_id"]), line, given["buyer"]["email"], item["sku"], str(item["n"]), str(item["price"]))
        for given in orders
        for line, item in enumerate(given["items"])
    )


def test_the_first_pull_brings_all_orders_and_the_second_none(shop, monkeypatch):
    monkeypatch.setattr(mongo, "PAGE_ORDERS", 7)
    orders = [order(number, 1 + number % 3) for number in range(40)]
    shop.put(*orders)
    assert shop.source().last_day(None) == dt.date(2026, 9, 25)
    assert shop.pull() == len(expected(orders))
    assert shop.raw(*LINES) == expected(orders)
    assert shop.pull() == 0


def test_values_of_every_type_become_text(shop):
    identity = ObjectId()
    item = {"sku": Int64(9007199254740993), "n": 3.0, "price": 100}
    second = {"sku": Binary(b"\x00\xff"), "n": 2, "price": 12.5}
    document = {
        "placed": DAY,
        "buyer": {"email": "a\0b"},
        "updated": DAY,
        "items": [item, second],
        "notes": [{}],
    }
    shop.put({"_id": identity} | document)
    shop.pull()
    assert shop.raw(*LINES, c.ORDERED_AT) == [
        (str(identity), 0, "ab", "9007199254740993", "3", "100", "2026-09-21 08:06:00+00:00"),
        (str(identity), 1, "ab", "00ff", "2", "12.5", "2026-09-21 08:06:00+00:00"),
    ]


def test_decimals_and_odd_times_are_read_as_stored():
    # FerretDB has no Decimal128, so it is decoded here as a server would send it.
    sent = bson.encode(
        {"price": Decimal128("1E+2"), "id": uuid.UUID(int=7), "at": DatetimeMS(10**15)}, codec_options=OPTIONS
    )
    document = bson.decode(sent, codec_options=OPTIONS)
    assert as_text(document["price"]) == "100"
    assert as_text(document["id"]) == str(uuid.UUID(int=7))
    assert as_text(document["at"]) is not None


def test_rules_leave_orders_out_and_count_them(shop):
    shop.put(order(1), order(2, payments=[{"status": "Cancelled"}]), order(3, lines=0))
    shop.pull()
    reasons = {row[:2] for row in shop.raw(c.ORDER_ID, c.LEFT_OUT)}
    assert reasons == {("1", None), ("2", "cancelled"), ("3", None)}


@pytest.mark.parametrize("kind", ["time", "number", "text"])
def test_a_pull_brings_only_new_and_changed_orders(shop, kind):
    moments = [DAY + dt.timedelta(days=20 * step) for step in range(3)]
    written = {"time": moments, "number": [1, 2, 3], "text": [moment.isoformat() for moment in moments]}[kind]
    orders = {number: order(number, updated=written[number // 4]) for number in range(8)}
    shop.put(*orders.values())
    shop.pull()
    changed = [order(2, lines=3, updated=written[2]), order(9, updated=written[2]), order(10, updated=None)]
    changed[2].pop("updated")
    for document in changed:
        shop.collection.replace_one({"_id": document["_id"]}, document, upsert=True)
    assert shop.pull() == 3 + 2 + 2
    assert shop.raw(*LINES) == expected(
        (orders | {document["_id"]: document for document in changed}).values()
    )


def test_a_change_in_the_future_hides_no_later_order(shop):
    shop.put(order(1, updated=DAY), order(2, updated=dt.datetime(2099, 1, 1)))
    shop.pull()
    shop.put(order(3, updated=DAY + dt.timedelta(days=1)))
    assert shop.pull() == 2


def test_a_killed_pull_resumes_after_the_last_staged_order(shop, monkeypatch, seed):
    monkeypatch.setattr(mongo, "PAGE_ORDERS", 5)
    rng = random.Random(seed)
    ids = [*range(20), *(f"text {number}" for number in range(10)), *(ObjectId() for _ in range(10))]
    rng.shuffle(ids)
    orders = [order(number) | {"_id": name} for number, name in enumerate(ids)]
    shop.put(*orders)
    for page in sorted(rng.sample(range(8), 3)):
        pull_killed(shop, monkeypatch, page)
    shop.pull()
    assert shop.raw(*LINES) == expected(orders)


@pytest.mark.parametrize("killed", [False, True])
def test_a_collection_of_order_lines(shop, monkeypatch, killed, seed):
    monkeypatch.setattr(mongo, "PAGE_ORDERS", 4)
    shop.file.write_text(FLAT)
    documents = [
        {
            "store": store,
            "number": number,
            "placed": DAY,
            "email": "C",
            "sku": f"P{line}",
            "n": 1,
            "price": 2,
            "updated": 1,
        }
        for store in ("DE", "FR")
        for number in range(10)
        for line in range(3)
    ]
    random.Random(seed).shuffle(documents)
    shop.put(*documents)
    if killed:
        pull_killed(shop, monkeypatch, 2)
    shop.pull()
    orders = {(f"{given['store']}/{given['number']}", given["sku"]) for given in documents}
    assert set(shop.raw(c.ORDER_ID, c.PRODUCT)) == orders
    shop.collection.update_one({"store": "DE", "number": 4, "sku": "P1"}, {"$set": {"n": 5, "updated": 2}})
    assert shop.pull() == 3
    assert sorted({row[:2] for row in shop.raw(c.ORDER_ID, c.LINE)}) == sorted(
        {(order_id, line) for order_id, _ in orders for line in range(3)}
    )


def test_a_document_that_can_not_be_read_is_a_fault(shop):
    shop.put(order(1), order(2, placed={"on": DAY}), order(3, items=[{"sku": {"a": 1}}]))
    shop.pull()
    rows = raw.read(raw.pulls(shop.source().name), [c.ORDER_ID, c.FAULT]).to_pylist()
    assert [row[c.ORDER_ID] for row in rows if row[c.FAULT] is None] == ["1", "1"]
    assert len(rows) == 4


def test_a_server_that_dies_and_comes_back(home, tmp_path, monkeypatch):
    monkeypatch.setattr(mongo, "PAGE_ORDERS", 400)
    monkeypatch.setattr("pipelines.extract.collection.CONNECT_MS", 500)
    with mongos.mongo(tmp_path) as server, mongos.client(server) as client:
        shop = Shop(server.url, client.shop.orders, tmp_path / "shop.toml", monkeypatch)
        orders = [order(number) for number in range(4000)]
        shop.put(*orders)
        fails_while_the_server_is_down(shop, monkeypatch, 1, server.kill, "NIGHTSHELF_MONGO_URL")
        server.start()
        shop.pull()
        assert shop.raw(*LINES) == expected(orders)


SECRET = "s3cret"
URLS = [
    "",
    SECRET,
    f"mongodb://me:{SECRET}@127.0.0.1:1",
    f"mongodb://me:x@{SECRET}@127.0.0.1:1/shop",
    f"mongodb://me:{SECRET}@127.0.0.1:port/shop",
    f"mongodb://me:{SECRET}@127.0.0.1:1/shop",
    f"mongodb://127.0.0.1:1/shop?password={SECRET}&nosuch=1",
    f"mongodb://me:{SECRET}/@127.0.0.1:1/shop",
    f"http://me:{SECRET}@127.0.0.1/shop",
]


@pytest.mark.filterwarnings("ignore:Unknown")
@pytest.mark.parametrize("url", URLS)
def test_a_message_names_the_setting_and_never_its_secret(home, tmp_path, monkeypatch, url):
    monkeypatch.setattr("pipelines.extract.collection.CONNECT_MS", 200)
    (tmp_path / "shop.toml").write_text(NESTED)
    monkeypatch.setenv("NIGHTSHELF_MONGO_URL", url)
    settings.cache_clear()
    with pytest.raises(NightshelfError, match="NIGHTSHELF_MONGO_URL") as raised:
        pulls.pull(extract.source("mongo", "", str(tmp_path / "shop.toml")), LAST, False, silent)
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_mapping_without_a_collection_is_named(home, tmp_path, monkeypatch):
    (tmp_path / "shop.toml").write_text(
        NESTED.replace("[mongo]", "[sql]")
        .replace('collection = "orders"', 'lines = "x"')
        .replace("updated", "u")
    )
    with pytest.raises(NightshelfError, match=r"lacks \[mongo\]"):
        extract.source("mongo", "", str(tmp_path / "shop.toml"))
