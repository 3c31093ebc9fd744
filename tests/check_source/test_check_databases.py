"""`check-source` on databases: the counts of what was bought, and nothing changed in lake and source."""

import datetime as dt
import hashlib
import json

import mongos
import published
import pytest
import sqlalchemy as sa
from databases import driver
from typer.testing import CliRunner

from pipelines import extract
from pipelines.cli import app
from pipelines.extract import pulls
from pipelines.run.progress import silent
from pipelines.settings import settings

KEYS = {"fetched", "used", "orders", "customers", "products", "left_out", "warnings", "would_stop"}
COLUMNS = """
[columns]
order_id = "number"
ordered_at = "placed"
customer = "client"
product = "sku"
quantity = "n"
unit_price = "price"

[[leave_out]]
reason = "cancelled"
column = "status"
values = ["cancelled"]
"""
SQL = f"""{COLUMNS}
[sql]
changed = "placed"
lines = "SELECT * FROM sold"
"""
MONGO = f"""{COLUMNS}
[mongo]
collection = "sold"
changed = "placed"
"""


@pytest.fixture
def drawn(seed):
    return published.draw(seed, orders=4000)  # so many that no day is unusual by chance


def rows(drawn):
    return [
        {
            "number": line.order,
            "placed": line.time,
            "client": f"C{line.customer}",
            "sku": f"P{line.product}",
            "n": line.quantity,
            "price": line.price,
            "status": line.status,
        }
        for line in drawn.lines
    ]


@pytest.fixture
def sql(home, database, drawn, tmp_path, monkeypatch):
    """The mapping of a table in PostgreSQL that holds the orders, and a function that returns the table."""
    engine = sa.create_engine(driver(database), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS sold")
        connection.exec_driver_sql(
            "CREATE TABLE sold (number INTEGER, placed TIMESTAMP, client TEXT, sku TEXT, n INTEGER,"
            " price NUMERIC(12, 2), status TEXT)"
        )
        names = "number, placed, client, sku, n, price, status"
        values = ", ".join(f":{name}" for name in names.split(", "))
        connection.execute(sa.text(f"INSERT INTO sold ({names}) VALUES ({values})"), rows(drawn))
    monkeypatch.setenv("NIGHTSHELF_SQL_URL", database)
    (tmp_path / "shop.toml").write_text(SQL)

    def whole():
        with engine.connect() as connection:
            return [
                tuple(row) for row in connection.exec_driver_sql("SELECT * FROM sold ORDER BY number, sku")
            ]

    return str(tmp_path / "shop.toml"), whole


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mongos.mongo(tmp_path_factory.mktemp("mongo")) as running:
        yield running


@pytest.fixture
def mongo(home, server, drawn, tmp_path, monkeypatch):
    """As `sql`, for a collection of MongoDB."""
    monkeypatch.setenv("NIGHTSHELF_MONGO_URL", server.url)
    (tmp_path / "shop.toml").write_text(MONGO)
    with mongos.client(server) as client:
        client.drop_database("shop")
        client.shop.sold.insert_many(rows(drawn))
        yield str(tmp_path / "shop.toml"), lambda: list(client.shop.sold.find(sort=[("_id", 1)]))


def check(kind, mapping):
    """Runs the command, and returns its exit code and the object that it prints."""
    settings.cache_clear()
    result = CliRunner().invoke(app, ["check-source", "--source", kind, "--mapping", mapping, "--json"])
    return result.exit_code, json.loads(result.stdout)


def files(home):
    """Returns a digest of each file below a folder."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in home.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["sql", "mongo"])
def test_a_check_counts_what_was_bought_and_changes_nothing(kind, request, drawn, home):
    mapping, whole = request.getfixturevalue(kind)
    settings.cache_clear()
    pulls.pull(extract.source(kind, "", mapping), dt.date(2025, 6, 30), False, silent)
    before, source_before = files(home), whole()
    code, result = check(kind, mapping)
    assert result.keys() == KEYS
    assert (code, result["would_stop"]) == (0, None)
    assert (result["fetched"], result["used"]) == (len(drawn.lines), len(drawn.bought))
    assert result["left_out"] == {"cancelled": len(drawn.lines) - len(drawn.bought)}
    sizes = [len({getattr(line, name) for line in drawn.bought}) for name in ("order", "customer", "product")]
    assert [result[name] for name in ("orders", "customers", "products")] == sizes
    assert files(home) == before
    assert whole() == source_before


@pytest.mark.parametrize("kind", ["sql", "mongo"])
def test_a_column_that_the_source_lacks_stops_and_is_named(kind, request, home):
    mapping, _ = request.getfixturevalue(kind)
    text = (home / "shop.toml").read_text()
    (home / "shop.toml").write_text(text.replace('"price"', '"prise"'))
    code, result = check(kind, mapping)
    assert (code, result["fetched"]) == (1, 0) or result["used"] == 0
    assert "price" in result["would_stop"]


@pytest.mark.parametrize("kind", ["sql", "mongo"])
def test_without_an_address_its_setting_is_named(kind, home, tmp_path):
    (tmp_path / "shop.toml").write_text(SQL if kind == "sql" else MONGO)
    code, result = check(kind, str(tmp_path / "shop.toml"))
    assert code == 1
    assert f"NIGHTSHELF_{kind.upper()}_URL" in result["would_stop"]
