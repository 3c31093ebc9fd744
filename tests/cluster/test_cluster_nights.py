"""Nights through Airflow on a whole cluster, beside one on one machine, and with parts of it killed.

Nobody who asks the service notices, no order is lost, and a night that fails says why and succeeds the
next time.
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
from pipelines.gate.conditions import CHALLENGER
from pipelines.lake import tables

pytestmark = in_soak

DISK = "size=256m"
BALLAST = "ballast"
QUESTION = "/v1/popular?n=5"


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A small disk for the lake; an ordinary folder where nothing may be mounted."""
    folder = tmp_path_factory.mktemp("lake")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", folder], check=False)
    yield folder
    if mounted.returncode == 0:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory, disk):
    """A cluster after its first night."""
    with cluster(tmp_path_factory.mktemp("cluster"), NIGHTSHELF_LAKE=str(disk)) as found:
        with found.nightly_runs() as nights:
            run = nights.under_way()
        assert found.follow(run) == "success"
        until(lambda: httpx.get(f"{found.url('SERVING')}/readyz").is_success)
        yield found


@pytest.fixture(scope="module")
def one_machine(running, tmp_path_factory):
    """The lake of a night on one machine, with the same shop and the same key."""
    return retrained(running, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def one_machine_by_spark(running, tmp_path_factory):
    """The lake of a night on one machine whose ALS is Spark's, as the cluster's is."""
    return retrained(running, tmp_path_factory.mktemp("home"), NIGHTSHELF_SOLVER="spark")


def retrained(running, home, **settings):
    """The lake of a night of the cluster's shop on one machine."""
    secrets = {f"NIGHTSHELF_{name}": running.secret(name) for name in ("CUSTOMER_KEY", "SHOP_PASSWORD")}
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHELF_")}
    shop = {"NIGHTSHELF_SHOP_URL": running.url("SHOP"), "NIGHTSHELF_HOME": str(home)}
    command = [BIN / "nightshelf", "retrain", "--sweep", "quick"]
    subprocess.run(command, env=plain | shop | secrets | settings, check=True)
    return home / "lake"


def table(folder, name):
    """A table of a lake."""
    place = folder / name
    return pq.read_table(place / (place / tables.POINTER).read_text())


def measured(folder, name):
    """What the challenger of a lake's only night came to, customer by customer, under a name."""
    (place,) = folder.glob("evaluation/date=*/run=*")
    rows = table(place.parent, place.name)
    own = rows.filter(pa.compute.equal(rows[MODEL], CHALLENGER))
    return own.set_column(own.schema.get_field_index(MODEL), MODEL, pa.repeat(name, own.num_rows))


def test_a_night_on_the_cluster_measures_what_one_on_one_machine_does(
    running, disk, one_machine, one_machine_by_spark
):
    own, known = measured(disk, "cluster"), evaluation_settings.load()
    judged = pa.concat_tables([own, measured(one_machine_by_spark, "machine")])
    for lane, found in differences(judged, "cluster", "machine", known).items():
        print(f"{lane}: cluster minus machine, both by Spark {found}, {found.customers} customers")
        assert found.low <= 0 <= found.high
    judged = pa.concat_tables([own, measured(one_machine, "machine")])
    for lane, found in differences(judged, "cluster", "machine", known).items():
        print(f"{lane}: cluster minus machine by its own solver {found}, {found.customers} customers")
        assert not found.is_worse(known.gate.tolerance)
    assert same_orders(disk, one_machine)


def same_orders(one, other):
    """Whether two lakes hold the same orders."""
    rows = [
        table(lake_, tables.ORDERS).sort_by([(c.ORDER_ID, "ascending"), (c.PRODUCT, "ascending")])
        for lake_ in (one, other)
    ]
    return rows[0].equals(rows[1])


@contextlib.contextmanager
def asked(url):
    """Asks the service ten times a second until the block ends; counts its answers by status, 0 for none."""
    seen, over = Counter(), threading.Event()

    def ask():
        with httpx.Client(base_url=url, timeout=30) as client:
            while not over.wait(0.1):
                try:
                    seen[client.get(QUESTION).status_code] += 1
                except httpx.TransportError:
                    seen[0] += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def night(running, fault):
    """The state of a night in which something happens, and what is told of it where it failed."""
    with running.nightly_runs() as nights:
        run = nights.trigger()
        nights.unpause()
    fault(run)
    return running.follow(run), run


def killed(name, task):
    """The fault of a program that is killed while a task runs."""

    def fault(running, run):
        running.wait_for_task(task, run)
        kill(running.home, name)

    return fault


FAULTS = {
    "worker": killed("spark-worker-1", "sweep"),
    "database": killed("postgresql", "sweep"),
    "database-of-validation": killed("postgresql", "validate"),
    "scheduler": killed("airflow-scheduler", "sweep"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_night_outlives_it_or_the_next_one_does(name, running, disk, one_machine):
    with asked(running.url("SERVING")) as seen:
        state, run = night(running, lambda run: FAULTS[name](running, run))
        print(f"{name}: {state}; {reasons(running, run)}")
        if state == "failed":
            assert "no reason was written" not in reasons(running, run)
            state, _ = night(running, lambda run: None)
    assert state == "success"
    assert seen.keys() == {200}
    assert same_orders(disk, one_machine)


def reasons(running, run):
    """The tasks that failed, and why, as their logs tell."""
    from pipelines.stack.nightly_run import failure

    with running.nightly_runs() as nights:
        tasks = nights.tasks(run)
    failed = any(task["state"] == "failed" for task in tasks)
    return failure(tasks, running.home / ".nightshelf" / "airflow" / "logs") if failed else ""


def test_a_full_disk_ends_a_night_with_its_cause_and_the_next_one_succeeds(running, disk, one_machine):
    if not os.path.ismount(disk):
        pytest.skip("nothing may be mounted here: a small disk for the lake needs root")
    ballast = disk / BALLAST
    with asked(running.url("SERVING")) as seen:
        with ballast.open("wb") as file, contextlib.suppress(OSError):
            while file.write(b"0" * 2**20):
                pass
        state, run = night(running, lambda run: None)
        assert state == "failed"
        told = reasons(running, run)
        print(told)
        assert "No space left on device" in told
        ballast.unlink()
        assert night(running, lambda run: None)[0] == "success"
    assert seen.keys() == {200}
    assert same_orders(disk, one_machine)
