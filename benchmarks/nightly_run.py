"""Nightly runs on real orders: a first one, beside a champion, by Airflow, and of a wide catalogue."""

import os
import sqlite3
from pathlib import Path

from benchmarks import pace
from benchmarks.processes import NIGHTSHELF, Measured, free_ports, measure

SERVERS = ("MLFLOW", "AIRFLOW", "SERVING")
SECRETS = ("CUSTOMER_KEY", "AIRFLOW_JWT_SECRET", "AIRFLOW_PASSWORD", "SHOP_PASSWORD")
SECONDS = "SELECT (julianday(end_date) - julianday(start_date)) * 86400 FROM dag_run WHERE state = 'success'"


def online_retail(file: Path, home: Path) -> str:
    """Returns seconds, peak memory and what `nightshelf retrain` printed; leaves the lake in `home`."""
    first = _retrain(file, "online_retail_ii", home)
    second = _retrain(file, "online_retail_ii", home)
    by_airflow = _by_airflow(file, "online_retail_ii", home.with_name("airflow"))
    pace.note("night of Online Retail II", first.seconds)
    pace.note("night of Online Retail II beside a champion", second.seconds)
    pace.note("night of Online Retail II by Airflow", by_airflow)
    output = "\n".join(line.rstrip() for line in first.output.splitlines())
    return (
        "## A nightly run on Online Retail II, all 1,067,370 rows\n\n"
        "`nightshelf retrain --source files --mapping online_retail_ii --path FILE`, solver `auto`,\n"
        "the default sweep of 12 ALS candidates, 2 rankers and 5 baselines, test window the last 28 days:\n"
        f"**{first.seconds:.0f} s, peak {first.peak_gib:.1f} GiB** (allowed: 90 s, 3 GiB).\n"
        f"Once more, beside the first run's champion: **{second.seconds:.0f} s** (allowed: 110 s).\n"
        f"By Airflow **{by_airflow:.0f} s, {by_airflow / first.seconds:.2f} times** that (allowed: 1.25).\n\n"
        f"```\n{output}\n```\n"
    )


def supermarket(file: Path, home: Path) -> str:
    """Returns seconds and peak memory of a first nightly run on a supermarket's eight months."""
    measured = _retrain(file, "dunnhumby", home)
    pace.note("night of a supermarket", measured.seconds)
    return (
        "## A nightly run on a supermarket's eight months\n\n"
        "976,544 lines, 2,430 customers, 56,518 products: many lines a customer, and a wide catalogue.\n"
        f"**{measured.seconds:.0f} s, peak {measured.peak_gib:.1f} GiB** (allowed: 150 s, 4 GiB).\n"
    )


def _retrain(file: Path, mapping: str, home: Path) -> Measured:
    env = os.environ | {"NIGHTSHELF_HOME": str(home), "COLUMNS": "110"}
    options = ["--source", "files", "--mapping", mapping, "--path", str(file)]
    return measure([NIGHTSHELF, "retrain", *options], env)


def _by_airflow(file: Path, mapping: str, home: Path) -> float:
    """Returns the seconds of the first nightly run that Airflow does, from its start to its end."""
    home.mkdir(parents=True)
    variables = {"HOME": str(home), "SOURCE": "files", "FILES_MAPPING": mapping, "FILES_PATH": str(file)}
    variables |= dict.fromkeys(SECRETS, "a secret of the benchmark")
    ports = zip(SERVERS, free_ports(len(SERVERS)), strict=True)
    variables |= {f"{name}_PORT": str(port) for name, port in ports}
    env = os.environ | {f"NIGHTSHELF_{name}": value for name, value in variables.items()}
    measure([NIGHTSHELF, "up", "--once"], env)
    with sqlite3.connect(home / ".nightshelf" / "airflow" / "airflow.db") as database:
        ((seconds,),) = database.execute(SECONDS).fetchall()
    return float(seconds)
