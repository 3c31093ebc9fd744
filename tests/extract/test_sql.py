"""A database's own ways: what it calls nothing, how it refuses, and what nobody may read of its address."""

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa
from worlds import MAPPING, SQL, SqlWorld, order, received

from pipelines import extract
from pipelines.extract import pulls, raw, sql
from pipelines.extract.staging import Staging
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError, TransientError

LAST = dt.date(2026, 9, 30)
SECRET = "s3cret"


@pytest.fixture
def world(home, tmp_path, monkeypatch):
    return SqlWorld().at(tmp_path, f"sqlite:///{tmp_path}/shop.db", monkeypatch)


def pull(world):
    return pulls.pull(world.source(), LAST, False, silent)["new_order_lines"]


def run(world, statement):
    with world.engine.begin() as connection:
        connection.execute(sa.text(statement))


def test_an_order_that_was_never_changed_since_is_new_all_the_same(world):
    world.put(*(order(number, day=1) for number in range(5)))
    world.write()
    pull(world)
    run(world, "INSERT INTO order_lines VALUES (9, '2026-09-02', '7916', 'P1', 1, 1.0, 'Tea', NULL)")
    assert pull(world) == 1
    assert received(world.source())[-1][0] == "9"


def test_a_killed_pull_goes_on_after_the_last_order_it_has(world, monkeypatch):
    monkeypatch.setattr(sql, "ROWS", 7)
    world.put(*(order(number, day=1 + number // 3, lines=1 + number % 3) for number in range(40)))
    world.write()
    keep, kept = Staging.write, []

    def killed(self, page, tables, note):
        kept.append(page)
        if len(kept) == 4:
            raise KeyboardInterrupt
        keep(self, page, tables, note)

    monkeypatch.setattr(Staging, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        pull(world)
    pull(world)
    assert kept == [*range(4), *range(3, max(kept) + 1)]
    assert raw.read(raw.pulls(world.source().name), ["line"]).num_rows == len(world.truth())
    assert received(world.source()) == world.truth()


@pytest.mark.parametrize("number", [20251231, 10102])
def test_a_number_that_looks_like_a_day_is_a_number(world, number):
    world.put(order(1, day=1))
    world.write()
    run(world, f"UPDATE order_lines SET written = {number}")
    pull(world)
    row = f"(9, '2026-09-02', '7916', 'P1', 1, 1.0, 'Tea', {number + 1})"
    run(world, f"INSERT INTO order_lines VALUES {row}")
    assert pull(world) == 1


def test_one_order_of_another_century_is_not_the_last_day(world):
    world.put(order(1, day=3), order(2, day=4) | {"at": "2099-01-01T00:00:00Z"})
    world.write()
    assert world.source().last_day(None) == dt.date(2026, 9, 3)


def test_a_column_may_tell_the_group_of_the_customer(world):
    world.put(order(1, day=1))
    world.write()
    Path(world.mapping).write_text(SQL + MAPPING + 'group = "title"')
    pull(world)
    found = raw.read(raw.pulls(world.source().name), ["name", "group"])
    assert found["group"].to_pylist() == found["name"].to_pylist() == ["Product P10", "Product P11"]


def test_ids_and_values_of_any_type_are_text(world):
    world.put(order(1, day=1))
    world.write()
    run(world, "UPDATE order_lines SET sku = x'0A1B', price = 2.50")
    pull(world)
    assert [line[3:] for line in received(world.source())] == [("0a1b", "1", "2.5"), ("0a1b", "2", "2.5")]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("SELECT * FROM nowhere", "no such table"),
        ("SELECT 1 AS one", "no such column"),
        ("SELECT FROM", "syntax"),
    ],
)
def test_a_wrong_query_is_named_and_not_tried_again(world, query, named):
    world.put(order(1, day=1))
    world.write()
    Path(world.mapping).write_text(MAPPING + SQL.replace("SELECT * FROM order_lines", query))
    with pytest.raises(NightshelfError, match=f"refused the query of the mapping: .*{named}") as caught:
        pull(world)
    assert not isinstance(caught.value, TransientError)


def test_a_query_may_end_as_people_end_it(world):
    world.put(order(1, day=1))
    world.write()
    Path(world.mapping).write_text(MAPPING + SQL.replace("order_lines", "order_lines;"))
    assert pull(world) == 2


URLS = [
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/shop",
    f"postgresql+psycopg://127.0.0.1:1/shop?user=me&password={SECRET}",
    f"postgresql+psycopg://me:x@{SECRET}@127.0.0.1:1/shop",
    f"postgresql+psycopg://me:x@12:{SECRET}@127.0.0.1/shop",
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1:port/shop",
    f"nosuch://me:{SECRET}@127.0.0.1/shop",
    f"sqlite:///x?timeout={SECRET}",
    SECRET,
]


@pytest.mark.parametrize("url", URLS)
def test_no_secret_of_an_address_is_told(home, tmp_path, monkeypatch, url):
    (tmp_path / "shop.toml").write_text(MAPPING + SQL)
    monkeypatch.setenv("NIGHTSHELF_SQL_URL", url)
    settings.cache_clear()
    with pytest.raises(NightshelfError, match="NIGHTSHELF_SQL_URL") as caught:
        pulls.pull(extract.source("sql", "", str(tmp_path / "shop.toml")), LAST, False, silent)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("url", "mapping"), [("", MAPPING + SQL), ("sqlite://", MAPPING)])
def test_what_is_missing_is_named(home, tmp_path, monkeypatch, url, mapping):
    (tmp_path / "shop.toml").write_text(mapping)
    monkeypatch.setenv("NIGHTSHELF_SQL_URL", url)
    settings.cache_clear()
    with pytest.raises(NightshelfError, match=r"NIGHTSHELF_SQL_URL is not set|lacks \[sql\]"):
        extract.source("sql", "", str(tmp_path / "shop.toml"))
