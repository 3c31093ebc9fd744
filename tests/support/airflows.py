"""Runs of the DAG `nightly` by Airflow's own command, each in a home of its own."""

import atexit
import contextlib
import datetime as dt
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from homes import put_empty_mlflow_database, served

from pipelines.demo.api import app
from pipelines.demo.shop import Shop
from serving.settings import PROJECT

AIRFLOW = Path(sys.executable).with_name("airflow")
SHOP = Shop(start=dt.date(2026, 9, 1), customers=300, products=200, orders_per_day=100)
USER = "me"


def run_nightly(home, conf, **variables):
    """Returns the completed `airflow dags test nightly`, whose standard output holds all logs."""
    environment = _environment(home) | variables
    (home / "airflow").mkdir()
    shutil.copy(_migrated_database(), home / "airflow" / "airflow.db")
    put_empty_mlflow_database(home)
    command = [AIRFLOW, "dags", "test", "nightly", "--conf", json.dumps(conf)]
    return subprocess.run(
        command, check=False, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@contextlib.contextmanager
def demo_shop_of(password):
    """Serves a small demo shop with this password; yields the fields of its Airflow connection."""
    with served(app(SHOP, USER, password, lambda: dt.date(2026, 9, 20))) as address:
        host, _, port = address.rpartition(":")
        yield {"conn_type": "http", "host": host, "port": int(port), "login": USER, "password": password}


def written(home):
    """Returns the content of all files and of Airflow's database after a run, as text."""
    with sqlite3.connect(home / "airflow" / "airflow.db") as database:
        rows = "\n".join(database.iterdump())
    return rows + "".join(file.read_text("latin-1") for file in home.rglob("*") if file.is_file())


def _environment(home):
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("NIGHTSHELF_", "AIRFLOW_"))
    }
    return plain | {
        "NIGHTSHELF_HOME": str(home),
        "NIGHTSHELF_CUSTOMER_KEY": "a key for tests",
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    }


@cache
def _migrated_database():
    """Returns an Airflow database without any run: Airflow takes many seconds to create its tables."""
    home = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    subprocess.run([AIRFLOW, "db", "migrate"], env=_environment(home), capture_output=True, check=True)
    return home / "airflow" / "airflow.db"
