"""The registry stays valid when runs are killed, overlap, or lose MLflow for a while."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from gate_nights import prepared, run, run_gate, world
from homes import SOAK, fresh_home, in_soak
from ports import free_port

from pipelines import nightly
from pipelines.evaluate import night_data
from pipelines.lake import tables
from pipelines.registry import acts as registry_acts
from pipelines.registry import versions
from pipelines.run import tracking
from pipelines.stack.environment import MLFLOW
from serving.errors import NightshelfError

DOWN = 60  # seconds
KILLS = 20 if SOAK else 3
SCRIPT = Path(__file__).with_name("one_night.py")
SOONEST, LATEST = 1.0, 9.0  # seconds after its start at which a run is killed


@pytest.fixture(scope="module")
def shop():
    return world(7, nights=2)


@pytest.fixture
def server(tmp_path):
    """The address of an MLflow server, and a context manager that runs it."""
    port = free_port()
    command = [Path(sys.executable).with_name("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--workers", "1"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]

    @contextlib.contextmanager
    def serve():
        with (tmp_path / "mlflow.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=os.environ | MLFLOW
            )
        try:
            while not healthy(port):
                assert process.poll() is None
                time.sleep(0.2)
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    return f"http://127.0.0.1:{port}", serve


def healthy(port):
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).status == 200
    return False


def valid_champion():
    """Returns the champion's version after checking that the registry is valid."""
    alias = {name: version for version, names in versions.aliases().items() for name in names}
    assert alias.get("previous") != alias["champion"]
    champion = versions.find(alias["champion"])
    assert champion.tags["verdict"] in ("FIRST", "PROMOTED")
    assert len(versions.bundle(alias["champion"]).customers)
    return str(champion.version)


@in_soak
def test_a_run_survives_a_minute_without_mlflow(shop, server, tmp_path):
    url, serve = server
    with fresh_home(tmp_path / "home", MLFLOW_URI=url):
        with serve():
            run(shop, 0, 7)
            night = prepared(shop, 1, 7)
        ended = threading.Event()

        def later():
            time.sleep(DOWN)
            with serve():
                ended.wait(300)

        thread = threading.Thread(target=later)
        thread.start()
        try:
            started = time.monotonic()
            assert run_gate(night)["verdict"] == "PROMOTED"
            assert time.monotonic() - started > DOWN
            nightly.run("publish", night)
            assert valid_champion() == "2"
        finally:
            ended.set()
            thread.join()


def test_an_unreachable_mlflow_raises_soon_naming_the_setting(shop, tmp_path):
    with fresh_home(tmp_path / "home", MLFLOW_URI=f"http://127.0.0.1:{free_port()}"):
        started = time.monotonic()
        with pytest.raises(NightshelfError, match="NIGHTSHELF_MLFLOW_URI"):
            prepared(shop, 0, 7)
        assert time.monotonic() - started < 60


@in_soak
def test_two_runs_at_once_read_their_own_tables_and_one_is_promoted(shop, home):
    run(shop, 0, 7)
    first = prepared(shop, 1, 7)
    second = prepared(shop, 2, 7)
    assert night_data.load(first).cut.test + 1 == night_data.load(second).cut.test
    verdicts = [run_gate(first)["verdict"], run_gate(second)["verdict"]]
    assert verdicts == ["PROMOTED", "PROMOTED"]
    nightly.run("publish", second)
    with pytest.raises(NightshelfError, match=r"version 3 was promoted .* version 2 was compared with 1"):
        nightly.run("publish", first)
    assert valid_champion() == "3"
    nightly.run("publish", second)  # a retry
    assert valid_champion() == "3"


def test_a_run_whose_tables_were_replaced_twice_raises(shop, home):
    night = prepared(shop, 0, 7)
    for _ in range(2):
        prepared(shop, 0, 7)
    with pytest.raises(NightshelfError, match=f"table '{tables.PRODUCTS}'"):
        night_data.load(night)


def test_a_run_killed_at_any_moment_leaves_a_valid_registry_and_the_next_completes(seed, shop, home, capsys):
    run(shop, 0, 7)
    rng = random.Random(seed)
    with capsys.disabled():
        for _ in range(KILLS):
            delay = rng.uniform(SOONEST, LATEST)
            print(f"\nkilled after {delay:.1f} s: {kill_a_run_after(delay)}", end="", flush=True)
            before = valid_champion()
    assert int(run(shop, 1, 7)[0]["version"]) > int(before)
    assert int(valid_champion()) > int(before)
    assert {act.info.status for act in registry_acts.acts()} <= {"FINISHED", "KILLED"}
    assert tracking.client()


def kill_a_run_after(delay):
    """Kills a run some seconds after its start; returns what it printed before."""
    command = [sys.executable, SCRIPT, "7", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout.readline() == "begins\n"
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        return process.stdout.read().strip() or "nothing yet"
