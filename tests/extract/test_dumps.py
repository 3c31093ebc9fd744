"""Files that each hold all orders: orders that the newest file lacks are reported, or removed."""

import datetime as dt

import pyarrow as pa
import pytest

from pipelines import columns as c
from pipelines.extract import pulls, raw, versions
from pipelines.extract.mapping import Mapping
from pipelines.extract.source import last_iso_day
from pipelines.extract.staging import RAW_ORDERS

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("home")]

FIRST = dt.date(2026, 9, 1)


class Dumps:
    """A source whose deliveries are lists of orders (id, day, quantity, time of change)."""

    name, description, plan = "dumps-1", "dumps", {}

    def __init__(self, full_dumps="remove", **file):
        self.dialect = Mapping(columns={}, file={"full_dumps": full_dumps, **file})
        self.deliveries = []
        self.new = 0

    def last_day(self, last_pull):
        return FIRST

    def orders(self, last_pull, staging, progress):
        for page in range(self.new, len(self.deliveries)):
            staging.write(page, [rows(f"{page}.csv", self.deliveries[page])], {})
        self.new = len(self.deliveries)
        return {"read": self.new}

    def products(self):
        return None

    def deliver(self, *orders):
        self.deliveries.append(orders)
        return self

    def pull(self, full=False):
        """Pulls, and returns the orders that count with their quantities, and the orders missing."""
        pulls.pull(self, FIRST + dt.timedelta(days=60), full, lambda *_: None)
        columns = [c.ORDER_ID, c.QUANTITY, c.LEFT_OUT, c.CHANGED_AT, c.SOURCE, *raw.VERSION]
        split = self.dialect.split_orders
        newest = versions.newest_versions(raw.read(raw.pulls(self.name), columns).to_pandas(), split)
        kept = newest[newest[c.LEFT_OUT].isna()]
        assert set(newest[c.LEFT_OUT].dropna()) <= {"not_in_newest_dump"}
        return sorted(zip(kept[c.ORDER_ID], kept[c.QUANTITY], strict=True)), raw.watermark(self.name).missing


def order(number, day=0, quantity=1, changed=None):
    return (str(number), FIRST + dt.timedelta(days=day), quantity, changed)


def rows(file, orders):
    ids, days, quantities, changes = zip(*orders, strict=True) if orders else [()] * 4
    columns = {
        c.ORDER_ID: pa.array(ids, pa.string()),
        c.ORDERED_AT: pa.array([str(day) for day in days], pa.string()),
        c.QUANTITY: pa.array([str(quantity) for quantity in quantities], pa.string()),
        c.CHANGED_AT: pa.array(changes, pa.string()),
        c.PRODUCT: pa.array(["A"] * len(ids), pa.string()),
        c.SOURCE: pa.array([file] * len(ids), pa.string()),
        c.LINE: pa.array(range(len(ids)), pa.int64()),
    }
    assert set(columns) <= set(RAW_ORDERS.names)
    return pa.table(columns)


@pytest.mark.parametrize("changed", [None, "2026-09-05T10:00:00+00:00"])
def test_an_order_that_the_newest_dump_lacks_is_removed_until_a_dump_holds_it_again(changed):
    def all_of(*numbers):
        return [order(number, changed=changed) for number in numbers]

    source = Dumps().deliver(*all_of(1, 2, 3))
    assert source.pull() == ([("1", "1"), ("2", "1"), ("3", "1")], 0)
    assert source.deliver(*all_of(1, 3)).pull() == ([("1", "1"), ("3", "1")], 1)
    assert source.deliver(*all_of(1, 3), order(4, 1)).pull() == ([("1", "1"), ("3", "1"), ("4", "1")], 0)
    assert source.deliver(*all_of(1, 2), order(4, 1)).pull() == ([("1", "1"), ("2", "1"), ("4", "1")], 1)


def test_missing_orders_are_only_counted_by_default_setting_report():
    source = Dumps("report").deliver(order(1), order(2))
    source.pull()
    assert source.deliver(order(2)).pull() == ([("1", "1"), ("2", "1")], 1)
    assert source.deliver(order(2), order(3, 1)).pull()[1] == 1


def test_files_that_are_no_full_dumps_lack_nothing():
    source = Dumps("no").deliver(order(1))
    source.pull()
    assert source.deliver(order(2)).pull() == ([("1", "1"), ("2", "1")], 0)


def test_several_dumps_of_one_pull_are_compared_as_well():
    source = Dumps().deliver(order(1), order(2)).deliver(order(2), order(3, 1))
    assert source.pull() == ([("2", "1"), ("3", "1")], 1)
    assert source.deliver().pull() == ([("2", "1"), ("3", "1")], 1)  # the empty file of a quiet day


def test_an_older_dump_that_is_read_again_removes_nothing():
    source = Dumps().deliver(order(1), order(2, 5))
    source.pull()
    assert source.deliver(order(1)).pull() == ([("1", "1"), ("2", "1")], 0)


def test_the_newest_change_counts_whatever_is_read_last():
    noon, evening = "2026-09-05T12:00:00Z", "2026-09-05T18:00:00Z"
    source = Dumps("no").deliver(order(1, quantity=2, changed=evening))
    source.pull()
    assert source.deliver(order(1, quantity=1, changed=noon)).pull()[0] == [("1", "2")]
    # Both files of one pull are compared with what is known, not the last one alone.
    source.deliver(order(1, quantity=5, changed="2026-09-05T20:00:00Z"))
    assert source.deliver(order(1, quantity=2, changed=evening)).pull()[0] == [("1", "5")]


def test_the_parts_of_an_order_in_several_files_are_versions_of_their_own():
    source = Dumps("no", split_orders=True).deliver(order(1, quantity=1)).deliver(order(1, quantity=2))
    assert source.pull()[0] == [("1", "1"), ("1", "2")]
    source.new = 0
    source.deliveries[1] = (order(1, quantity=7),)
    pulled = source.pull()[0]
    assert pulled == [("1", "1"), ("1", "7")]


def test_another_mapping_is_another_way_to_read():
    plain, other = Mapping(columns={}), Mapping(columns={}, guests=True, timezone="Europe/Berlin")
    assert pulls.read_as(plain) == pulls.read_as(other)
    rule = {"reason": "cancelled", "column": "status", "values": ["cancelled"]}
    assert pulls.read_as(plain) != pulls.read_as(Mapping(columns={}, leave_out=[rule]))


def test_an_unfinished_dump_has_a_last_day():
    assert last_iso_day([rows("1.csv", [order(1, 3)])[c.ORDERED_AT]]) == FIRST + dt.timedelta(days=3)
