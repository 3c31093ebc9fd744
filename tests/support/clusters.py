"""Runs `nightshelf cluster` on free ports in its own home, follows its runs, and kills its programs."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import limits
import psutil
import pytest
from dotenv import dotenv_values
from ports import free_ports

from pipelines.settings import Settings
from pipelines.stack import cluster as stack
from pipelines.stack import database
from pipelines.stack.airflow_api import TIMEOUT, NightlyRuns
from pipelines.stack.start import start
from pipelines.stack.supervisor import supervised

PORTS = ("SHOP", "MLFLOW", "AIRFLOW", "SERVING", "DATABASE", "SPARK", "SPARK_UI")
PORTS += ("REPLICA_1", "REPLICA_2", "PROXY_STATS")
BIN = Path(sys.executable).parent
FINAL_STATES = ("success", "failed")
SECRETS = ("CUSTOMER_KEY", "DATABASE_PASSWORD", "AIRFLOW_PASSWORD", "AIRFLOW_JWT_SECRET")
RUN_SECONDS = 900  # limit of a nightly run
POLL_SECONDS = 2  # seconds between two requests to Airflow


def port_settings() -> dict[str, str]:
    """Returns a setting for each server's port, which is free."""
    free = zip(PORTS, free_ports(len(PORTS)), strict=True)
    ports = {f"NIGHTSHELF_{name}_PORT": str(port) for name, port in free}
    return ports | {"NIGHTSHELF_SHOP_URL": f"http://127.0.0.1:{ports['NIGHTSHELF_SHOP_PORT']}"}


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Returns the environment of a cluster with its own home, which PostgreSQL's user may enter."""
    for folder in (home, *home.parents[:3]):
        folder.chmod(0o755)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHELF_")}
    own = {"NIGHTSHELF_HOME": str(home), "NIGHTSHELF_SWEEP": "quick"}
    own["AIRFLOW__CORE__PARALLELISM"] = "2"  # so that drivers and executors share two cores
    return plain | port_settings() | own | variables


def until(condition, seconds: float = 60, interval: float = 0.1) -> float:
    """Waits for a condition and returns the seconds it took; fails after `seconds`, scaled."""
    started, limit = time.monotonic(), limits.scaled(seconds)
    while not condition():
        assert time.monotonic() - started < limit, f"not true after {limit:.0f} seconds"
        time.sleep(interval)
    return time.monotonic() - started


def skip_where_something_is_missing() -> None:
    """Skips the test if a Debian package that the cluster needs isn't installed."""
    if not list(database.PACKAGES.glob("*/bin/postgres")):
        pytest.skip("PostgreSQL is not installed: sudo apt-get install postgresql")
    if not shutil.which("haproxy", path=f"{os.environ['PATH']}:{stack.SBIN}"):
        pytest.skip("HAProxy is not installed: sudo apt-get install haproxy")


def process_of(home: Path, name: str) -> psutil.Process | None:
    """Returns the process of a cluster's program, according to its supervisor; None if it doesn't run."""
    command = [
        BIN / "supervisorctl",
        "-c",
        home / ".nightshelf" / "supervisor.conf",
        "pid",
        f"nightshelf:{name}",
    ]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return psutil.Process(int(output)) if output.isdigit() and int(output) else None


def kill(home: Path, name: str) -> psutil.Process:
    """Kills a program and its descendants, and returns the program's process."""
    program = process_of(home, name)
    for process in (program, *program.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return program


@contextlib.contextmanager
def parts(home: Path, patch, *names: str, **variables: str) -> Iterator[Settings]:
    """Runs only the named programs of a cluster until the block ends, and yields its settings.

    patch: a MonkeyPatch, which gives this process the programs' environment too.
    """
    skip_where_something_is_missing()
    secrets = {f"NIGHTSHELF_{name}": "a secret" for name in SECRETS}
    for name, value in environment(home, **(secrets | variables)).items():
        patch.setenv(name, value)
    settings = stack.cluster_settings(Settings())
    programs_env = stack.variables(settings)
    for name, value in programs_env.items():
        patch.setenv(name, value)
    if "postgresql" in names:
        database.prepare(settings)
    stack.write_spark_secret(settings)
    programs = [program for program in stack.programs(settings) if program.name in names]
    with supervised(settings.state, programs, programs_env) as supervisor:
        start(supervisor)
        yield settings


@dataclass
class Cluster:
    """A running cluster."""

    env: dict[str, str]
    process: subprocess.Popen

    @property
    def home(self) -> Path:
        return Path(self.env["NIGHTSHELF_HOME"])

    def url(self, server: str) -> str:
        return f"http://127.0.0.1:{self.env[f'NIGHTSHELF_{server}_PORT']}"

    def secret(self, name: str) -> str:
        return dotenv_values(self.home / ".env")[f"NIGHTSHELF_{name}"]

    @contextlib.contextmanager
    def nightly_runs(self) -> Iterator[NightlyRuns]:
        """Yields a client of the cluster's Airflow."""
        with httpx.Client(base_url=self.url("AIRFLOW"), timeout=TIMEOUT) as http:
            yield NightlyRuns(http, self.secret("AIRFLOW_PASSWORD"))

    def follow(self, run: str) -> str:
        """Waits until a nightly run ends, and returns its final state."""
        with self.nightly_runs() as runs:
            until(lambda: runs.state(run) in FINAL_STATES, RUN_SECONDS, POLL_SECONDS)
            return runs.state(run)

    def wait_for_task(self, task: str, run: str) -> None:
        """Waits until an instance of a task of a nightly run is running."""

        def is_running() -> bool:
            assert runs.state(run) not in FINAL_STATES
            states = [instance["state"] for instance in runs.tasks(run) if instance["task_id"] == task]
            return "running" in states

        with self.nightly_runs() as runs:
            until(is_running, RUN_SECONDS, POLL_SECONDS)


@contextlib.contextmanager
def cluster(home: Path, **variables: str) -> Iterator[Cluster]:
    """Runs a cluster until the block ends; yields it once its first nightly run has started."""
    skip_where_something_is_missing()
    env = environment(home, **variables)
    log = home / "output.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [BIN / "nightshelf", "cluster"], env=env, stdout=output, stderr=output, start_new_session=True
        )
    try:
        until(lambda: process.poll() is not None or "Nightly run" in log.read_text(), 300)
        assert process.poll() is None, log.read_text()
        yield Cluster(env, process)
    finally:
        process.terminate()
        process.wait(limits.scaled(60))
