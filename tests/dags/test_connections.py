"""The shop's address, user and password come from an Airflow connection, and are written nowhere else."""

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


def nightly_run(home, **connections):
    """The output of `airflow dags test nightly` with these connections; validation stops the run."""
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("NIGHTSHELF_", "AIRFLOW_"))
    }
    env = plain | {
        "NIGHTSHELF_HOME": str(home),
        "NIGHTSHELF_CUSTOMER_KEY": "a key for tests",
        "NIGHTSHELF_QUARANTINE_SHARE": "0",  # a run up to validation is enough
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()},
    }
    airflow = Path(sys.executable).with_name("airflow")
    subprocess.run([airflow, "db", "migrate"], env=env, capture_output=True, check=True)
    source = {"source": "sql", "mapping": str(home / "shop.toml")} if "nightshelf_sql" in connections else {}
    command = [airflow, "dags", "test", "nightly", "--conf", json.dumps(source | {"as_of": "2026-09-30"})]
    return subprocess.run(
        command, check=False, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout


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
