"""The behaviour that all sources share: they lose and duplicate no order, and read no more than needed."""

import datetime as dt
import random

import pytest
from worlds import FilesWorld, ShopWorld, SqlWorld, order, received

from pipelines.extract import pulls, raw
from pipelines.lake import tables
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError

KINDS = ["shop-api", "shop-api by date", "files", "sqlite", "postgresql", "mariadb"]
LAST = dt.date(2026, 9, 30)


@pytest.fixture(params=KINDS)
def world(request, home, tmp_path, monkeypatch, serve):
    """A small shop, with each kind of source."""
    if request.param == "files":
        return FilesWorld().at(tmp_path)
    if request.param == "sqlite":
        return SqlWorld().at(tmp_path, f"sqlite:///{tmp_path}/shop.db", monkeypatch)
    if request.param == "postgresql":
        return SqlWorld().at(tmp_path, request.getfixturevalue("database"), monkeypatch)
    if request.param == "mariadb":
        return SqlWorld().at(tmp_path, request.getfixturevalue("mariadb_database"), monkeypatch)
    return ShopWorld().serve(serve, monkeypatch, filtered=request.param.endswith("date"))


def pull(world, day=30, full=False):
    """Pulls as of a day of September 2026, and returns the number of new order lines."""
    world.write()
    return pulls.pull(world.source(), dt.date(2026, 9, day), full, silent)["new_order_lines"]


def test_the_first_pull_brings_all_orders_and_the_second_none(world):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    assert pull(world) == 80
    assert received(world.source()) == world.truth()
    assert pull(world) == 0
    assert received(world.source()) == world.truth()


def test_a_pull_brings_only_new_late_and_changed_orders(world):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    pull(world, 15)
    world.put(order(100, day=15), order(101, day=15, lines=3))  # new
    world.put(order(102, day=11, hour=3))  # late
    world.put(order(35, day=12, lines=1), order(36, day=13, lines=4))  # changed: one line removed, two added
    assert pull(world, 16) == 2 + 3 + 2 + 1 + 4
    assert received(world.source()) == world.truth()


def test_a_pull_as_of_a_day_reads_the_orders_up_to_that_day(world):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    pull(world, 5)
    assert received(world.source(), "2026-09-05") == world.truth("2026-09-05")


def test_a_full_pull_reads_all_orders_again(world):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    pull(world)
    assert pull(world, full=True) == 80
    assert len(raw.pulls(world.source().name)) == 1
    assert received(world.source()) == world.truth()


def test_a_full_pull_hides_earlier_pulls_even_if_they_could_not_be_removed(world, monkeypatch):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    pull(world)
    remove = tables.remove
    monkeypatch.setattr(tables, "remove", lambda path: None if path.startswith("raw/") else remove(path))
    pull(world, full=True)
    assert len(tables.entries(tables.RAW_ORDERS.format(source=world.source().name))) == 2
    assert raw.read(raw.pulls(world.source().name), ["line"]).num_rows == 80


def test_daily_pulls_leave_exactly_the_shops_orders_in_raw(world, seed):
    rng = random.Random(seed)
    number = 0
    for day in range(1, 29):
        world.put(*(order(number + i, day, rng.randint(1, 4)) for i in range(rng.randint(1, 6))))
        late = max(1, day - rng.randint(0, 5))
        if rng.random() < 0.3:
            world.put(order(1000 + day, late, rng.randint(1, 4)))
        number += 6
        pull(world, day)
        assert received(world.source()) == world.truth(), f"day {day}"


def test_a_killed_pull_resumes_and_then_reads_what_arrived_since(world, monkeypatch):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    append = raw.append

    def killed(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(raw, "append", killed)
    today = dt.datetime.now(dt.UTC).date()
    world.write()
    with pytest.raises(KeyboardInterrupt):
        pulls.pull(world.source(), today, False, silent)
    assert raw.pulls(world.source().name) == []
    monkeypatch.setattr(raw, "append", append)
    world.put(order(200, day=14), order(39, day=14, lines=1))
    world.write()
    pulls.pull(world.source(), today, False, silent)
    assert received(world.source()) == world.truth()


def test_a_pull_killed_after_writing_to_raw_is_not_repeated(world, monkeypatch):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    pull(world, 15)
    world.put(order(200, day=15))
    remove, killed = tables.remove, []

    def stop(path):
        if (
            path.startswith("staging/")
            and raw.watermark(world.source().name).last_day.day == 15
            and not killed
        ):
            killed.append(path)
            raise KeyboardInterrupt
        remove(path)

    monkeypatch.setattr(tables, "remove", stop)
    with pytest.raises(KeyboardInterrupt):
        pull(world, 16)
    monkeypatch.setattr(tables, "remove", remove)
    assert pull(world, 16) == 0
    assert received(world.source()) == world.truth()


def test_a_day_before_the_overlap_is_not_requested_again(world, monkeypatch):
    world.put(*(order(number, day=1 + number // 2) for number in range(40)))
    pull(world, 20)
    source = world.source()
    monkeypatch.setattr(type(source), "orders", None)  # a call would fail
    assert pulls.pull(source, dt.date(2026, 9, 20 - settings().overlap_days - 1), False, silent) == {
        "new_order_lines": 0,
        "changed_goods": 0,
    }


def test_a_source_without_orders_is_an_error(world):
    if isinstance(world, FilesWorld):
        (world.folder / "empty.csv").write_text("order_no,at,client,sku,n,price,title\n")
    world.write() if world.orders or not isinstance(world, SqlWorld) else _empty(world)
    with pytest.raises(NightshelfError, match="no order line with a date") as raised:
        pulls.pull(world.source(), LAST, False, silent)
    assert "\n" not in str(raised.value)


def _empty(world):
    with world.engine.begin() as connection:
        world.table.drop(connection, checkfirst=True)
        world.table.create(connection)
