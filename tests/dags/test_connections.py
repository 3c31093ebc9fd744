"""The shop's address, user and password come from an Airflow connection, and go nowhere else."""

import datetime as dt
import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from homes import served

from pipelines.demo.api import app
from pipelines.demo.shop import Shop

DAGS = Path(__file__).parents[2] / "dags"
SECRET = "n0t-t0-be-seen"
SHOP = Shop(start=dt.date(2026, 9, 1), customers=300, products=200, orders_per_day=100)


def night(home, **connections):
    """What `airflow dags test nightly` says of a night at the shop that the connections name."""
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("NIGHTSHELF_", "AIRFLOW_"))
    }
    env = plain | {
        "NIGHTSHELF_HOME": str(home),
        "NIGHTSHELF_CUSTOMER_KEY": "a key for tests",
        "NIGHTSHELF_QUARANTINE_SHARE": "0",  # the night need not go further
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(told) for name, told in connections.items()},
    }
    airflow = Path(sys.executable).with_name("airflow")
    subprocess.run([airflow, "db", "migrate"], env=env, capture_output=True, check=True)
    asked = {"source": "sql", "mapping": str(home / "shop.toml")} if "nightshelf_sql" in connections else {}
    test = [airflow, "dags", "test", "nightly", "--conf", json.dumps(asked | {"as_of": "2026-09-30"})]
    return subprocess.run(
        test, check=False, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout


def written(home):
    """All that the night left in files and in Airflow's database."""
    with sqlite3.connect(home / "airflow" / "airflow.db") as database:
        rows = "\n".join(database.iterdump())
    return rows + "".join(file.read_text("latin-1") for file in home.rglob("*") if file.is_file())


@pytest.mark.parametrize("known", [True, False])
def test_a_night_asks_the_shop_of_the_connection_as_its_user(tmp_path, known):
    with served(app(SHOP, "me", SECRET if known else "another", lambda: dt.date(2026, 9, 20))) as address:
        host, _, port = address.rpartition(":")
        shop = {"conn_type": "http", "host": host, "port": int(port), "login": "me", "password": SECRET}
        told = night(tmp_path, nightshelf_shop=shop)
    if known:
        assert "validation rejected the nightly run" in told
        assert re.search(r"[\d,]+ of [\d,]+ pages, [\d,]+ orders, [\d,]+ orders/s, [\d:]+ left", told)
        assert list((tmp_path / "lake" / "raw" / "orders").glob("source=shop-api-*/full=*/*/part-0.parquet"))
    else:
        assert "the shop refused user 'me' at /orders (401)" in told
    assert SECRET not in told
    assert SECRET not in written(tmp_path)


def test_a_database_of_a_connection_is_asked_too(tmp_path):
    names = ("order_id", "ordered_at", "customer", "product", "quantity", "unit_price")
    columns = "".join(f"{name} = '{name}'\n" for name in names)
    query = "lines = 'SELECT * FROM lines'\nchanged = 'written'\n"
    (tmp_path / "shop.toml").write_text(f"[columns]\n{columns}[sql]\n{query}")
    database = {"conn_type": "nosuch", "host": "127.0.0.1", "schema": "shop", "login": "me"}
    told = night(tmp_path, nightshelf_sql=database | {"password": SECRET})
    assert "NIGHTSHELF_SQL_URL can't be used (NoSuchModuleError)" in told
    assert SECRET not in told
    assert SECRET not in written(tmp_path)
