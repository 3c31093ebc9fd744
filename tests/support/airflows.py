"""Runs of the DAG `nightly` by Airflow's own command, each in a home of its own."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from homes import put_empty_mlflow_database

from serving.settings import PROJECT

AIRFLOW = Path(sys.executable).with_name("airflow")


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
