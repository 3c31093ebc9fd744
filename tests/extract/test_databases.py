"""Source `sql` on real servers: what queries hold, types of columns, keys, and servers that go away."""

import contextlib
import datetime as dt
import os
import signal
from pathlib import Path

import pytest
import sqlalchemy as sa
from databases import driver, mariadb, new_database, postgresql
from interrupted import fails_while_the_server_is_down, pull_killed

from pipelines import columns as c
from pipelines import extract
from pipelines.extract import pulls, raw, sql
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError, TransientError

LAST = dt.date(2026, 9, 30)
MAPPING = """
[columns]
order_id = "id"
ordered_at = "placed"
customer = "client"
product = "sku"
quantity = "n"
unit_price = "price"

[sql]
changed = "changed"
lines = '''
{query}
'''
"""
COLUMNS = "id, placed, client, sku, n, price, changed"
PLAIN = f"SELECT {COLUMNS} FROM sold"


class Shop:
    """A database with order lines, and the mapping that reads them."""

    def __init__(self, url, folder, monkeypatch):
        self.file = folder / "shop.toml"
        self.engine = sa.create_engine(driver(url), poolclass=sa.NullPool)
        monkeypatch.setenv("NIGHTSHELF_SQL_URL", url)
        settings.cache_clear()
        self.is_mysql = self.engine.dialect.name == "mysql"
        self.maps(PLAIN)

    def maps(self, query, text=MAPPING):
        self.file.write_text(text.replace("{query}", query))

    def run(self, *statements):
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def table(self, id_type="INTEGER", placed="VARCHAR(40)", more=""):
        self.run(
            f"CREATE TABLE sold (id {id_type}, placed {placed}, client VARCHAR(40), sku VARCHAR(40),"
            f" n INTEGER, price NUMERIC(12, 2), changed INTEGER{more})"
        )

    def lines(self, *values):
        for value in values:
            self.run(f"INSERT INTO sold VALUES ({value})")

    def source(self):
        return extract.source("sql", "", str(self.file))

    def pull(self):
        return pulls.pull(self.source(), LAST, False, silent)["new_order_lines"]

    def raw(self, *names):
        rows = raw.read(raw.pulls(self.source().name), list(names)).to_pylist()
        return sorted(tuple(row.values()) for row in rows)


@pytest.fixture(params=["postgresql", "mariadb"])
def shop(request, home, tmp_path, monkeypatch):
    server = request.getfixturevalue(f"{request.param}_server")
    return Shop(new_database(server), tmp_path, monkeypatch)


ONE = "1, '2026-09-21 08:06:00', 'C1', 'P1', 2, 9.50, 1"
QUERIES = [
    f"{PLAIN};",
    f"{PLAIN} ; -- all of them",
    f"{PLAIN} -- all; of them",
    f"{PLAIN} /* all; of them */ ;",
    f"-- first\n{PLAIN}",
    f"{PLAIN} WHERE sku <> ':sku' AND sku <> '00:00' AND sku <> 'a::b' AND sku <> ':1:2'",
    f"{PLAIN} WHERE sku LIKE 'P%' AND sku NOT LIKE '%%s' AND sku <> '%(id)s' AND sku <> '100 %'",
    f"{PLAIN} WHERE sku <> '-- ;' AND sku <> '/* ' AND sku <> '#' AND sku <> ' */'",
    f"{PLAIN} WHERE sku <> 'it''s; -- a quote'",
    f"WITH all_lines AS ({PLAIN}) SELECT * FROM all_lines;",
    f"{PLAIN} ORDER BY id DESC;\n\n",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_reaches_the_server_as_it_was_written(shop, query):
    shop.table()
    shop.lines(ONE)
    shop.maps(query)
    assert shop.pull() == 1
    assert shop.raw(c.ORDER_ID, c.ORDERED_AT, c.UNIT_PRICE) == [("1", "2026-09-21 08:06:00", "9.50")]


def test_marks_that_only_one_dialect_knows(shop):
    shop.table()
    shop.lines(ONE)
    own = [
        r"{PLAIN} WHERE sku <> 'it\'s; # no comment' # a comment;",
        "{PLAIN} WHERE `sku` <> '--' AND 5--3 = 8 #",
    ]
    if not shop.is_mysql:
        own = [
            "{PLAIN} WHERE placed::text <> $$it's; --$$ AND 5 # 3 = 6 AND sku <> E'it\\'s; --'",
            r"{PLAIN} WHERE sku <> 'C:\' -- done;",
        ]
    for query in own:
        shop.maps(query.replace("{PLAIN}", PLAIN))
        assert shop.source().last_day(None) == dt.date(2026, 9, 21)


@pytest.mark.parametrize("scheme", ["own", "postgres", "postgresql", "mysql", "mariadb"])
def test_a_url_needs_no_driver(shop, monkeypatch, scheme):
    shop.table()
    shop.lines(ONE)
    own = ("mysql", "mariadb") if shop.is_mysql else ("postgres", "postgresql")
    if scheme not in (*own, "own"):
        pytest.skip("the other server's")
    rest = str(shop.engine.url).partition("://")[2].replace("***", "a-secret")
    monkeypatch.setenv("NIGHTSHELF_SQL_URL", f"{own[0] if scheme == 'own' else scheme}://{rest}")
    settings.cache_clear()
    assert shop.pull() == 1


def test_the_whole_language_of_mappings_applies(shop):
    shop.table(
        "VARCHAR(20)", more=", store VARCHAR(9), status VARCHAR(20), amount NUMERIC(12, 2), money VARCHAR(3)"
    )
    for number, (store, status, money) in enumerate(
        [("DE", "paid", "EUR"), ("FR", "paid", "EUR"), ("DE", " Cancelled", "EUR"), ("DE", "paid", "CHF")]
    ):
        product = f"'7{number // 2}', '2026-09-21', 'C{number}', 'P{number}', 2, NULL, {number}"
        shop.lines(f"{product}, '{store}', '{status}', 21.00, '{money}'")
    text = MAPPING.replace('unit_price = "price"', 'amount = "amount"').replace(
        'order_id = "id"', 'order_id = { join = ["store", "id"] }'
    )
    rules = """
[[leave_out]]
reason = "cancelled"
column = "STATUS"
values = ["cancelled"]

[currency]
column = "money"
to = "EUR"
"""
    shop.maps("SELECT * FROM sold", text + rules)
    assert shop.pull() == 4
    assert shop.raw(c.ORDER_ID, c.UNIT_PRICE, c.LEFT_OUT) == [
        ("DE/70", "10.5", None),
        ("DE/71", "10.5", "cancelled"),
        ("DE/71", "21.00", "other_currency"),
        ("FR/70", "10.5", None),
    ]


def test_values_of_every_type_become_text(shop):
    binary, moment, flag = (
        ("VARBINARY(9)", "DATETIME", "BIT(1)") if shop.is_mysql else ("BYTEA", "TIMESTAMP", "BOOLEAN")
    )
    shop.run(
        f"CREATE TABLE sold (id {binary}, placed {moment}, client BIGINT, sku CHAR(4), n DOUBLE PRECISION,"
        f" price DECIMAL(20, 4), changed DATE, flag {flag})"
    )
    set_flag = "b'1'" if shop.is_mysql else "true"
    key = "x'00FF41'" if shop.is_mysql else "'\\x00ff41'::bytea"
    shop.lines(
        f"{key}, '2026-09-21 08:06:00', 9007199254740993, 'P1', 3.0, 1234567.5, '2026-09-22', {set_flag}"
    )
    shop.maps(
        "SELECT * FROM sold", MAPPING.replace('unit_price = "price"', 'unit_price = "price"\ngroup = "flag"')
    )
    assert shop.pull() == 1
    names = [c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.QUANTITY, c.UNIT_PRICE, c.GROUP]
    flag = "1" if shop.is_mysql else "true"
    expected = ("00ff41", "2026-09-21 08:06:00", "9007199254740993", "3", "1234567.5000", flag)
    assert shop.raw(*names) == [expected]


def test_a_time_with_a_zone_keeps_its_moment(shop):
    kind = "TIMESTAMP NULL" if shop.is_mysql else "TIMESTAMP WITH TIME ZONE"
    zone = "SET time_zone = '+05:00'" if shop.is_mysql else "SET TIME ZONE 'Asia/Tashkent'"
    shop.table(placed=kind)
    shop.run(zone, f"INSERT INTO sold VALUES ({ONE.replace('08:06', '03:06')})")
    shop.pull()
    ((written,),) = shop.raw(c.ORDERED_AT)
    assert dt.datetime.fromisoformat(written) == dt.datetime(2026, 9, 20, 22, 6, tzinfo=dt.UTC)


def test_incremental_by_a_moment(shop):
    kind = "TIMESTAMP NULL" if shop.is_mysql else "TIMESTAMP WITH TIME ZONE"
    shop.run(
        f"CREATE TABLE sold (id INTEGER, placed {kind}, client VARCHAR(9), sku VARCHAR(9), n INTEGER,"
        f" price NUMERIC(9, 2), changed {kind})"
    )
    placed = "'2026-09-21 08:06:00', 'C', 'P', 1, 1"
    shop.lines(f"1, {placed}, '2026-09-01 08:00:00'", f"2, {placed}, '2026-09-21 08:00:00'")
    assert shop.pull() == 2
    shop.run("UPDATE sold SET n = 5 WHERE id < 3")  # of order 1, before the overlap: not read again
    shop.lines(f"3, {placed}, '2026-09-22 09:00:00'", f"4, {placed}, NULL")
    assert shop.pull() == 3


def test_a_change_in_the_future_hides_no_later_order(shop):
    shop.run(
        "CREATE TABLE sold (id INTEGER, placed VARCHAR(40), client VARCHAR(9), sku VARCHAR(9), n INTEGER,"
        " price NUMERIC(9, 2), changed TIMESTAMP NULL)"
    )
    placed = "'2026-09-21 08:06:00', 'C', 'P', 1, 1"
    shop.lines(f"1, {placed}, '2026-09-21 08:00:00'", f"2, {placed}, '2037-01-01 00:00:00'")
    shop.pull()
    shop.lines(f"3, {placed}, '2026-09-22 09:00:00'")
    assert shop.pull() == 1


@pytest.mark.parametrize("key", ["VARCHAR(9)", "binary"])
def test_ids_that_differ_only_in_case_or_bytes_survive_a_kill(shop, monkeypatch, key):
    monkeypatch.setattr(sql, "PAGE_ROWS", 3)
    binary = "VARBINARY(9)" if shop.is_mysql else "BYTEA"
    shop.table(binary if key == "binary" else key)
    ids = ["a1", "A1", "b1", "B1", "c1", "C1", "d", "D"]
    values = [
        f"x'{name.encode().hex()}'" if shop.is_mysql else f"'\\x{name.encode().hex()}'::bytea" for name in ids
    ]
    written = values if key == "binary" else [f"'{name}'" for name in ids]
    for line in range(2):
        shop.lines(*(f"{name}, '2026-09-21', 'C', 'P{line}', 1, 1, 1" for name in written))
    expected = sorted(name.encode().hex() if key == "binary" else name for name in ids for _ in range(2))
    for killed_at in range(1, 5):
        pull_killed(shop, monkeypatch, killed_at)
        shop.pull()
        assert [row[0] for row in shop.raw(c.ORDER_ID)] == expected
        for table in raw.pulls(shop.source().name):
            raw.tables.remove(table)


def test_dates_as_text_in_another_format(shop):
    shop.table()
    shop.lines(
        ONE.replace("2026-09-21 08:06:00", "9/21/2026 08:06"),
        ONE.replace("2026-09-21 08:06:00", "10/2/2026 08:06"),
    )
    assert shop.source().last_day(None) == dt.date(2026, 10, 2)
    shop.pull()
    shop.lines(ONE.replace("2026-09-21 08:06:00", "10/3/2026 08:06").replace("1,", "9,", 1))
    assert shop.pull() == 1  # the day before showed that the month comes first
    assert shop.raw(c.ORDERED_AT)[-1] == ("2026-10-03T08:06:00",)


def test_a_missing_column_quotes_the_nearest(shop):
    shop.table()
    shop.lines(ONE)
    shop.maps(
        "SELECT id, placed, client, sku, n, price AS unit_prize, changed FROM sold",
        MAPPING.replace('"price"', '"Unit Price"'),
    )
    with pytest.raises(NightshelfError, match=r"'Unit Price'.*nearest.*'unit_prize'") as raised:
        shop.pull()
    assert not isinstance(raised.value, TransientError)


def test_a_message_quotes_no_stored_value(shop):
    shop.table()
    shop.lines(ONE.replace("'C1'", "'anna@shop.example'"))
    cast = (
        "CAST(client AS INTEGER)"
        if not shop.is_mysql
        else "(SELECT JSON_LENGTH(x.client) + 1 FROM sold x, sold y)"
    )
    shop.maps(f"SELECT id, placed, {cast} AS client, sku, n, price, changed FROM sold")
    if shop.is_mysql:
        pytest.skip("MariaDB converts what it can't read to null")
    with pytest.raises(NightshelfError) as raised:
        shop.pull()
    assert "anna" not in str(raised.value)


@pytest.mark.parametrize("server", [postgresql, mariadb])
def test_a_server_that_dies_while_it_is_read_is_a_transient_error(server, home, tmp_path, monkeypatch):
    monkeypatch.setattr(sql, "PAGE_ROWS", 1000)
    folder = Path("/tmp") / f"nightshelf-{os.getpid()}-{server.__name__}"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: __import__("shutil").rmtree(folder, ignore_errors=True))
        with contextlib.suppress(AssertionError), server(folder) as url:
            shop = Shop(url, tmp_path, monkeypatch)
            shop.table()
            wide = "REPEAT('x', 39)"
            shop.run(
                "INSERT INTO sold WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                " WHERE i < 900)"
                f" SELECT a.i * 1000 + b.i, '2026-09-21', {wide}, {wide}, 1, 1, 1 FROM n a, n b"
                " WHERE b.i <= 200"
            )
            message = r"repeat the run|check that it is up"
            fails_while_the_server_is_down(shop, monkeypatch, 2, lambda: _kill(folder), message)


def _kill(folder):
    """Kills the server's processes, whose id its own file names."""
    data = folder / "data"
    file = next(path for path in (data / "postmaster.pid", *data.glob("*.pid")) if path.exists())
    os.kill(int(file.read_text().split()[0]), signal.SIGKILL)
