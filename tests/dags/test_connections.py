"""The shop's address, user and password come from an Airflow connection, and are written nowhere else."""

import datetime as dt
import json
import re
import sqlite3

import pytest
from airflows import run_nightly
from homes import served

from pipelines.demo.api import app
from pipelines.demo.shop import Shop

SECRET = "n0t-t0-be-seen"
SHOP = Shop(start=dt.date(2026, 9, 1), customers=300, products=200, orders_per_day=100)


def nightly_run(home, **connections):
    """Returns the output of the DAG with these connections; validation stops the run."""
    source = {"source": "sql", "mapping": str(home / "shop.toml")} if "nightshelf_sql" in connections else {}
    variables = {
        "NIGHTSHELF_QUARANTINE_SHARE": "0",  # a run up to validation is enough
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()},
    }
    return run_nightly(home, source | {"as_of": "2026-09-30"}, **variables).stdout


def written(home):
    """The content of all files and of Airflow's database after the run, as text."""
    with sqlite3.connect(home / "airflow" / "airflow.db") as database:
        rows = "\n".join(database.iterdump())
    return rows + "".join(file.read_text("latin-1") for file in home.rglob("*") if file.is_file())


@pytest.mark.parametrize("is_valid", [True, False])
def test_a_run_reads_the_shop_of_the_connection_with_its_user_and_password(tmp_path, is_valid):
    with served(app(SHOP, "me", SECRET if is_valid else "another", lambda: dt.date(2026, 9, 20))) as address:
        host, _, port = address.rpartition(":")
        shop = {"conn_type": "http", "host": host, "port": int(port), "login": "me", "password": SECRET}
        output = nightly_run(tmp_path, nightshelf_shop=shop)
    if is_valid:
        assert "validation rejected the nightly run" in output
        assert re.search(r"[\d,]+ of [\d,]+ pages, [\d,]+ orders, [\d,]+ orders/s, [\d:]+ left", output)
        assert list((tmp_path / "lake" / "raw" / "orders").glob("source=shop-api-*/full=*/*/part-0.parquet"))
    else:
        assert "the shop refused user 'me' at /orders (401)" in output
    assert SECRET not in output
    assert SECRET not in written(tmp_path)


def test_a_run_reads_the_database_of_the_connection(tmp_path):
    names = ("order_id", "ordered_at", "customer", "product", "quantity", "unit_price")
    columns = "".join(f"{name} = '{name}'\n" for name in names)
    query = "lines = 'SELECT * FROM lines'\nchanged = 'written'\n"
    (tmp_path / "shop.toml").write_text(f"[columns]\n{columns}[sql]\n{query}")
    database = {"conn_type": "nosuch", "host": "127.0.0.1", "schema": "shop", "login": "me"}
    output = nightly_run(tmp_path, nightshelf_sql=database | {"password": SECRET})
    assert "NIGHTSHELF_SQL_URL can't be used (NoSuchModuleError)" in output
    assert SECRET not in output
    assert SECRET not in written(tmp_path)
