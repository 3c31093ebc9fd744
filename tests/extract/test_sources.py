"""What every source must do, whichever it is: lose no order, double none, and ask for no more than needed."""

import datetime as dt
import random

import pytest
from databases import postgresql
from worlds import FilesWorld, ShopWorld, SqlWorld, order, received

from pipelines.extract import pulls, raw
from pipelines.lake import tables
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError

KINDS = ["shop-api", "shop-api by date", "files", "sqlite", "postgresql"]
LAST = dt.date(2026, 9, 30)


@pytest.fixture(params=KINDS)
def world(request, home, tmp_path, monkeypatch, serve):
    """A small shop behind each kind of source."""
    if request.param == "files":
        return FilesWorld().at(tmp_path)
    if request.param == "sqlite":
        return SqlWorld().at(tmp_path, f"sqlite:///{tmp_path}/shop.db", monkeypatch)
    if request.param == "postgresql":
        return SqlWorld().at(tmp_path, request.getfixturevalue("database"), monkeypatch)
    return ShopWorld().serve(serve, monkeypatch, filtered=request.param.endswith("date"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real PostgreSQL of Debian's package, for these tests alone."""
    with postgresql(tmp_path_factory.mktemp("postgresql")) as url:
        yield url


@pytest.fixture
def database(server):
    return server


def night(world, day=30, full=False):
    """What a pull as of a day of September says that it brought."""
    world.write()
    return pulls.pull(world.source(), dt.date(2026, 9, day), full, silent)["new_order_lines"]


def test_a_first_pull_brings_everything_and_a_second_nothing(world):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    assert night(world) == 80
    assert received(world.source()) == world.truth()
    assert night(world) == 0
    assert received(world.source()) == world.truth()


def test_new_late_and_changed_orders_of_the_last_days_arrive_and_nothing_else_does(world):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    night(world, 15)
    world.put(order(100, day=15), order(101, day=15, lines=3))  # new
    world.put(order(102, day=11, hour=3))  # late
    world.put(order(35, day=12, lines=1), order(36, day=13, lines=4))  # changed: a line less, two more
    assert night(world, 16) == 2 + 3 + 2 + 1 + 4
    assert received(world.source()) == world.truth()


def test_as_of_a_day_no_later_order_is_seen(world):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    night(world, 5)
    assert received(world.source(), "2026-09-05") == world.truth("2026-09-05")


def test_full_starts_anew(world):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    night(world)
    assert night(world, full=True) == 80
    assert len(raw.pulls(world.source().name)) == 1
    assert received(world.source()) == world.truth()


def test_a_full_pull_hides_what_was_before_even_if_that_could_not_be_removed(world, monkeypatch):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    night(world)
    remove = tables.remove
    monkeypatch.setattr(tables, "remove", lambda path: None if path.startswith("raw/") else remove(path))
    night(world, full=True)
    assert len(tables.entries(tables.RAW_ORDERS.format(source=world.source().name))) == 2
    assert raw.read(raw.pulls(world.source().name), ["line"]).num_rows == 80


def test_many_nights_in_a_row_hold_the_truth(world, seed):
    rng = random.Random(seed)
    number = 0
    for day in range(1, 29):
        world.put(*(order(number + place, day, rng.randint(1, 4)) for place in range(rng.randint(1, 6))))
        late = max(1, day - rng.randint(0, 5))
        if rng.random() < 0.3:
            world.put(order(1000 + day, late, rng.randint(1, 4)))
        number += 6
        night(world, day)
        assert received(world.source()) == world.truth(), f"night {day}"


def test_a_killed_pull_goes_on_and_then_looks_for_what_came_since(world, monkeypatch):
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


def test_a_pull_killed_after_it_was_in_raw_is_not_repeated(world, monkeypatch):
    world.put(*(order(number, day=1 + number // 3) for number in range(40)))
    night(world, 15)
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
        night(world, 16)
    monkeypatch.setattr(tables, "remove", remove)
    assert night(world, 16) == 0
    assert received(world.source()) == world.truth()


def test_days_known_long_since_are_not_asked_for(world, monkeypatch):
    world.put(*(order(number, day=1 + number // 2) for number in range(40)))
    night(world, 20)
    source = world.source()
    monkeypatch.setattr(type(source), "orders", None)  # whoever calls it fails
    assert pulls.pull(source, dt.date(2026, 9, 20 - settings().overlap_days - 1), False, silent) == {
        "new_order_lines": 0,
        "changed_goods": 0,
    }


def test_a_source_without_an_order_says_so(world):
    if isinstance(world, FilesWorld):
        (world.folder / "empty.csv").write_text("order_no,at,client,sku,n,price,title\n")
    world.write() if world.orders or not isinstance(world, SqlWorld) else _empty(world)
    with pytest.raises(NightshelfError, match="gave no order line with a date") as caught:
        pulls.pull(world.source(), LAST, False, silent)
    assert "\n" not in str(caught.value)


def _empty(world):
    with world.engine.begin() as connection:
        world.table.drop(connection, checkfirst=True)
        world.table.create(connection)
