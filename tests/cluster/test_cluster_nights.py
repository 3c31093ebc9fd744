"""Nightly runs through Airflow on a whole cluster: compared with one machine, and with programs killed.

The service answers all requests meanwhile, no order is lost, and a failed run says why and succeeds when it
is repeated.
"""

import contextlib
import os
import subprocess
import threading
from collections import Counter

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import BIN, cluster, kill, until
from homes import in_soak

from pipelines import columns as c
from pipelines.evaluate import MODEL
from pipelines.evaluate import settings as evaluation_settings
from pipelines.evaluate.differences import differences
from pipelines.gate import settings as gate_settings
from pipelines.gate.conditions import CHALLENGER
from pipelines.lake import tables

pytestmark = in_soak

DISK = "size=256m"
BALLAST = "ballast"
QUESTION = "/v1/popular?n=5"


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A small disk for the lake; an ordinary folder if mounting is not permitted."""
    folder = tmp_path_factory.mktemp("lake")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", folder], check=False)
    yield folder
    if mounted.returncode == 0:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory, disk):
    """A cluster after its first nightly run."""
    with cluster(tmp_path_factory.mktemp("cluster"), NIGHTSHELF_LAKE=str(disk)) as started:
        with started.nightly_runs() as nights:
            run = nights.active_run()
        assert started.follow(run) == "success"
        until(lambda: httpx.get(f"{started.url('SERVING')}/readyz").is_success)
        yield started


@pytest.fixture(scope="module")
def one_machine(running, tmp_path_factory):
    """The lake of a run on one machine, with the same shop and the same key."""
    return retrained(running, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def one_machine_by_spark(running, tmp_path_factory):
    """The lake of a run on one machine with Spark's ALS, as on the cluster."""
    return retrained(running, tmp_path_factory.mktemp("home"), NIGHTSHELF_SOLVER="spark")


def retrained(running, home, **settings):
    """Runs a nightly run of the cluster's shop on one machine; returns its lake."""
    secrets = {f"NIGHTSHELF_{name}": running.secret(name) for name in ("CUSTOMER_KEY", "SHOP_PASSWORD")}
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHELF_")}
    shop = {"NIGHTSHELF_SHOP_URL": running.url("SHOP"), "NIGHTSHELF_HOME": str(home)}
    command = [BIN / "nightshelf", "retrain", "--sweep", "quick"]
    subprocess.run(command, env=plain | shop | secrets | settings, check=True)
    return home / "lake"


def table(folder, name):
    """Returns a table of a lake."""
    path = folder / name
    return pq.read_table(path / (path / tables.POINTER).read_text())


def measured(folder, name):
    """Returns the challenger's measures of a lake's only run, under another model name."""
    (path,) = folder.glob("evaluation/date=*/run=*")
    rows = table(path.parent, path.name)
    own = rows.filter(pa.compute.equal(rows[MODEL], CHALLENGER))
    return own.set_column(own.schema.get_field_index(MODEL), MODEL, pa.repeat(name, own.num_rows))


def test_a_run_on_the_cluster_measures_the_same_as_on_one_machine(
    running, disk, one_machine, one_machine_by_spark
):
    own, options = measured(disk, "cluster"), evaluation_settings.load()
    measures = pa.concat_tables([own, measured(one_machine_by_spark, "machine")])
    for lane, gain in differences(measures, "cluster", "machine", options).items():
        print(f"{lane}: cluster minus machine, both by Spark {gain}, {gain.customers} customers")
        assert gain.low <= 0 <= gain.high
    measures = pa.concat_tables([own, measured(one_machine, "machine")])
    for lane, gain in differences(measures, "cluster", "machine", options).items():
        print(f"{lane}: cluster minus machine by its own solver {gain}, {gain.customers} customers")
        assert not gain.is_worse(gate_settings.load().thresholds.tolerance)
    assert has_same_orders(disk, one_machine)


def has_same_orders(first, second):
    """Returns whether two lakes hold the same orders."""
    rows = [
        table(lake, tables.ORDERS).sort_by([(c.ORDER_ID, "ascending"), (c.PRODUCT, "ascending")])
        for lake in (first, second)
    ]
    return rows[0].equals(rows[1])


@contextlib.contextmanager
def requests_during(url):
    """Sends ten requests per second during the block; yields the counts by status, 0 for no response."""
    statuses, ended = Counter(), threading.Event()

    def request_repeatedly():
        with httpx.Client(base_url=url, timeout=30) as client:
            while not ended.wait(0.1):
                try:
                    statuses[client.get(QUESTION).status_code] += 1
                except httpx.TransportError:
                    statuses[0] += 1

    thread = threading.Thread(target=request_repeatedly)
    thread.start()
    try:
        yield statuses
    finally:
        ended.set()
        thread.join()


def night(running, fault):
    """Triggers a run and a fault in it; returns the run's final state and its id."""
    with running.nightly_runs() as nights:
        run = nights.trigger()
        nights.unpause()
    fault(run)
    return running.follow(run), run


def kills(name, task):
    """Returns a fault: the program is killed while the task runs."""

    def fault(running, run):
        running.wait_for_task(task, run)
        kill(running.home, name)

    return fault


FAULTS = {
    "worker": kills("spark-worker-1", "sweep"),
    "database": kills("postgresql", "sweep"),
    "database-of-validation": kills("postgresql", "validate"),
    "scheduler": kills("airflow-scheduler", "sweep"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_survives_a_killed_program_or_the_next_run_succeeds(name, running, disk, one_machine):
    with requests_during(running.url("SERVING")) as statuses:
        state, run = night(running, lambda run: FAULTS[name](running, run))
        print(f"{name}: {state}; {reasons(running, run)}")
        if state == "failed":
            assert "no reason was written" not in reasons(running, run)
            state, _ = night(running, lambda run: None)
    assert state == "success"
    assert statuses.keys() == {200}
    assert has_same_orders(disk, one_machine)


def reasons(running, run):
    """Returns the failed tasks with the reasons from their logs; '' if none failed."""
    from pipelines.stack.nightly_run import failure

    with running.nightly_runs() as nights:
        tasks = nights.tasks(run)
    failed = any(task["state"] == "failed" for task in tasks)
    return failure(tasks, running.home / ".nightshelf" / "airflow" / "logs") if failed else ""


def test_a_full_disk_fails_a_run_with_its_cause_and_the_next_run_succeeds(running, disk, one_machine):
    if not os.path.ismount(disk):
        pytest.skip("mounting a small disk for the lake needs root")
    ballast = disk / BALLAST
    with requests_during(running.url("SERVING")) as statuses:
        with ballast.open("wb") as file, contextlib.suppress(OSError):
            while file.write(b"0" * 2**20):
                pass
        state, run = night(running, lambda run: None)
        assert state == "failed"
        reason = reasons(running, run)
        print(reason)
        assert "No space left on device" in reason
        ballast.unlink()
        assert night(running, lambda run: None)[0] == "success"
    assert statuses.keys() == {200}
    assert has_same_orders(disk, one_machine)
