"""Source `sql`: nulls and types, failing queries, and URLs whose secrets must not appear in messages."""

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


def test_a_new_order_without_a_time_of_change_is_read(world):
    world.put(*(order(number, day=1) for number in range(5)))
    world.write()
    pull(world)
    run(world, "INSERT INTO order_lines VALUES (9, '2026-09-02', '7916', 'P1', 1, 1.0, 'Tea', NULL)")
    assert pull(world) == 1
    assert received(world.source())[-1][0] == "9"


def test_a_killed_pull_resumes_after_the_last_staged_order(world, monkeypatch):
    monkeypatch.setattr(sql, "PAGE_ROWS", 7)
    world.put(*(order(number, day=1 + number // 3, lines=1 + number % 3) for number in range(40)))
    world.write()
    write, pages = Staging.write, []

    def killed(self, page, tables, note):
        pages.append(page)
        if len(pages) == 4:
            raise KeyboardInterrupt
        write(self, page, tables, note)

    monkeypatch.setattr(Staging, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        pull(world)
    pull(world)
    assert pages == [*range(4), *range(3, max(pages) + 1)]
    assert raw.read(raw.pulls(world.source().name), ["line"]).num_rows == len(world.truth())
    assert received(world.source()) == world.truth()


@pytest.mark.parametrize("number", [20251231, 10102])
def test_a_change_number_that_looks_like_a_date_is_a_number(world, number):
    world.put(order(1, day=1))
    world.write()
    run(world, f"UPDATE order_lines SET written = {number}")
    pull(world)
    row = f"(9, '2026-09-02', '7916', 'P1', 1, 1.0, 'Tea', {number + 1})"
    run(world, f"INSERT INTO order_lines VALUES {row}")
    assert pull(world) == 1


def test_ignores_implausibly_late_orders_for_the_last_day(world):
    world.put(order(1, day=3), order(2, day=4) | {"at": "2099-01-01T00:00:00Z"})
    world.write()
    assert world.source().last_day(None) == dt.date(2026, 9, 3)


def test_a_column_can_be_mapped_to_group(world):
    world.put(order(1, day=1))
    world.write()
    Path(world.mapping).write_text(SQL + MAPPING + 'group = "title"')
    pull(world)
    rows = raw.read(raw.pulls(world.source().name), ["name", "group"])
    assert rows["group"].to_pylist() == rows["name"].to_pylist() == ["Product P10", "Product P11"]


def test_ids_and_values_of_any_type_are_read_as_strings(world):
    world.put(order(1, day=1))
    world.write()
    run(world, "UPDATE order_lines SET sku = x'0A1B', price = 2.50")
    pull(world)
    assert [line[3:] for line in received(world.source())] == [("0a1b", "1", "2.5"), ("0a1b", "2", "2.5")]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("SELECT * FROM nowhere", "no such table"),
        ("SELECT 1 AS one", "has no column .order_no.*its columns are .one"),
        ("SELECT FROM", "syntax"),
    ],
)
def test_a_failing_query_is_a_permanent_error_with_its_cause(world, query, named):
    world.put(order(1, day=1))
    world.write()
    Path(world.mapping).write_text(MAPPING + SQL.replace("SELECT * FROM order_lines", query))
    with pytest.raises(NightshelfError, match=named) as raised:
        pull(world)
    assert not isinstance(raised.value, TransientError)


def test_a_query_may_end_with_a_semicolon(world):
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
def test_a_message_never_contains_the_secret_of_a_url(home, tmp_path, monkeypatch, url):
    (tmp_path / "shop.toml").write_text(MAPPING + SQL)
    monkeypatch.setenv("NIGHTSHELF_SQL_URL", url)
    settings.cache_clear()
    with pytest.raises(NightshelfError, match="NIGHTSHELF_SQL_URL") as raised:
        pulls.pull(extract.source("sql", "", str(tmp_path / "shop.toml")), LAST, False, silent)
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(("url", "mapping"), [("", MAPPING + SQL), ("sqlite://", MAPPING)])
def test_a_missing_url_or_query_is_named(home, tmp_path, monkeypatch, url, mapping):
    (tmp_path / "shop.toml").write_text(mapping)
    monkeypatch.setenv("NIGHTSHELF_SQL_URL", url)
    settings.cache_clear()
    with pytest.raises(NightshelfError, match=r"NIGHTSHELF_SQL_URL is not set|lacks \[sql\]"):
        extract.source("sql", "", str(tmp_path / "shop.toml"))
