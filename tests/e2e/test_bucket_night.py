"""Nightly runs with the lake and MLflow's artifacts in a bucket, and a service without access to it."""

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from buckets import bucket, keys, uploads
from homes import fresh_home, in_soak, served
from ports import free_port

from pipelines import columns as c
from pipelines.demo.api import app
from pipelines.demo.dirt import Dirt
from pipelines.demo.shop import Shop
from pipelines.lake import tables

pytestmark = in_soak

SHOP = Shop(start=dt.date(2026, 9, 1), customers=1500, products=400, orders_per_day=400)
DAYS = 45
LAST = SHOP.start + dt.timedelta(days=DAYS - 1)
PASSWORD = "a password for tests"

# The service has neither the packages nor credentials; it downloads the bundle from the MLflow server.
SERVICE = """
import sys
for name in ("boto3", "botocore", "s3fs", "pyarrow", "pandas", "pyspark"):
    sys.modules[name] = None
from serving.live import registry
from serving.settings import ServingSettings
version, bundle = registry.load_champion(ServingSettings())
print(version, len(bundle.customers))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The bucket's URL, and a function that runs a Nightshelf command."""
    home = tmp_path_factory.mktemp("home")
    two_days_on = LAST + dt.timedelta(days=2)
    with (
        bucket() as url,
        served(app(SHOP, "nightshelf", PASSWORD, lambda: two_days_on)) as shop,
        mlflow_server(home, f"{url}/mlflow") as mlflow,
        fresh_home(home, LAKE=f"{url}/lake", MLFLOW_URI=mlflow, SHOP_URL=shop, SHOP_PASSWORD=PASSWORD),
    ):
        yield url, command


def command(*arguments):
    """Runs a Nightshelf command, which must succeed; returns its output."""
    started = time.monotonic()
    script = Path(sys.executable).with_name("nightshelf")
    process = subprocess.run([script, *arguments], capture_output=True, text=True, check=False)
    print(process.stdout, f"{arguments[0]} took {time.monotonic() - started:.1f} s", sep="\n")
    assert process.returncode == 0, process.stderr
    return process.stdout


@contextlib.contextmanager
def mlflow_server(home, artifacts):
    """Yields the address of an MLflow server that keeps its artifacts at this URL."""
    port = free_port()
    server = [Path(sys.executable).with_name("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    server += ["--workers", "1", "--backend-store-uri", f"sqlite:///{home}/server.db"]
    with (home / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(
            [*server, "--artifacts-destination", artifacts], stdout=log, stderr=log, start_new_session=True
        )
    try:
        while not healthy(port):
            assert process.poll() is None
            time.sleep(0.2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_BACKEND_STORE_URI", f"sqlite:///{home}/server.db")
            patch.setenv("MLFLOW_ARTIFACTS_DESTINATION", artifacts)
            yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def healthy(port):
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).status == 200
    return False


def test_runs_are_decided_and_the_lake_is_in_the_bucket_only(world):
    url, run = world
    assert "FIRST: version 1 serves" in run("retrain", "--sweep", "quick", "--as-of", str(LAST))
    output = run("retrain", "--sweep", "quick", "--as-of", str(LAST + dt.timedelta(days=1)))
    assert "PROMOTED" in output or "REFUSED" in output
    objects = keys(url)
    assert {key.partition("/")[0] for key in objects} == {"lake", "mlflow"}
    assert not [key for key in objects if "_temporary" in key]
    assert uploads(url) == []
    home = Path(os.environ["NIGHTSHELF_HOME"])
    assert not (home / "lake").exists()
    assert tables.read(tables.ORDERS).num_rows > 10_000


def test_a_service_without_credentials_of_the_bucket_loads_the_champion(world):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.run(
        [sys.executable, "-c", SERVICE], env=plain, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    version, customers = process.stdout.split()
    assert version in ("1", "2")
    assert int(customers) > 1000


def test_export_and_backup_write_to_the_bucket_and_forget_erases_from_it(world):
    url, run = world
    run("export", "--to", f"{url}/out.parquet", "--n", "3")
    run("backup", "--to", f"{url}/backup.tar")
    assert {"out.parquet", "backup.tar"} <= keys(url)
    run("forget", Dirt(SHOP).phones[0])  # it exits with 0 only if nothing is left
    before = tables.read(tables.ORDERS)[c.CUSTOMER].to_pylist()
    run("restore", f"{url}/backup.tar", "--replace")
    assert len(tables.read(tables.ORDERS)) > len(before)
    assert json.dumps(sorted(tables.entries("live"))) != "[]"
