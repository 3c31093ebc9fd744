"""`nightshelf cluster` on free ports in a home of its own, with its nights, and its programs to be killed."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from dotenv import dotenv_values

from pipelines.settings import Settings
from pipelines.stack import cluster as stack
from pipelines.stack import database
from pipelines.stack.airflow_api import Nights
from pipelines.stack.start import start
from pipelines.stack.supervisor import supervised

PORTS = ("SHOP", "MLFLOW", "AIRFLOW", "SERVING", "DATABASE", "SPARK", "SPARK_UI")
PORTS += ("REPLICA_1", "REPLICA_2", "PROXY_STATS")
BIN = Path(sys.executable).parent
OVER = ("success", "failed")
SECRETS = ("CUSTOMER_KEY", "DATABASE_PASSWORD", "AIRFLOW_PASSWORD", "AIRFLOW_JWT_SECRET")
PATIENCE = 900
EVERY = 2  # seconds that Airflow is asked


def free_ports() -> dict[str, str]:
    """A setting for each server's port."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    ports = {
        f"NIGHTSHELF_{name}_PORT": str(one.getsockname()[1]) for name, one in zip(PORTS, held, strict=True)
    }
    for one in held:
        one.close()
    return ports | {"NIGHTSHELF_SHOP_URL": f"http://127.0.0.1:{ports['NIGHTSHELF_SHOP_PORT']}"}


def environment(home: Path, **given: str) -> dict[str, str]:
    """The surroundings of a cluster with a home of its own, which PostgreSQL's user may enter."""
    for folder in (home, *home.parents[:3]):
        folder.chmod(0o755)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHELF_")}
    own = {"NIGHTSHELF_HOME": str(home), "NIGHTSHELF_SWEEP": "quick"}
    own["AIRFLOW__CORE__PARALLELISM"] = "2"  # drivers and executors on two cores
    return plain | free_ports() | own | given


def until(true, seconds: float = 60, every: float = 0.1) -> float:
    """How many seconds it took until it was true; fails where they are over."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds, "it didn't come to be"
        time.sleep(every)
    return time.monotonic() - started


def skip_where_something_is_missing() -> None:
    """Skips the test where a Debian package of the cluster isn't installed."""
    if not list(database.PACKAGES.glob("*/bin/postgres")):
        pytest.skip("there is no PostgreSQL: sudo apt-get install postgresql")
    if not shutil.which("haproxy", path=f"{os.environ['PATH']}:{stack.SBIN}"):
        pytest.skip("there is no HAProxy: sudo apt-get install haproxy")


def process_of(home: Path, name: str) -> psutil.Process | None:
    """The process of a program of a cluster, as its supervisor tells it; None where it doesn't run."""
    command = [
        BIN / "supervisorctl",
        "-c",
        home / ".nightshelf" / "supervisor.conf",
        "pid",
        f"nightshelf:{name}",
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return psutil.Process(int(told)) if told.isdigit() and int(told) else None


def kill(home: Path, name: str) -> psutil.Process:
    """The process of a program that was ended with all that it started, at once and without a warning."""
    program = process_of(home, name)
    for one in (program, *program.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    return program


@contextlib.contextmanager
def parts(home: Path, patch, *names: str, **given: str) -> Iterator[Settings]:
    """The settings of a cluster of which only the named programs run, till the end of the block.

    patch: a MonkeyPatch, by which this process has the programs' environment too.
    """
    skip_where_something_is_missing()
    secrets = {f"NIGHTSHELF_{name}": "a secret" for name in SECRETS}
    for name, value in environment(home, **(secrets | given)).items():
        patch.setenv(name, value)
    settings = stack.of_cluster(Settings())
    variables = stack.variables(settings)
    for name, value in variables.items():
        patch.setenv(name, value)
    if "postgresql" in names:
        database.prepare(settings)
    programs = [program for program in stack.programs(settings) if program.name in names]
    with supervised(settings.state, programs, variables) as supervisor:
        start(supervisor)
        yield settings


@dataclass
class Cluster:
    """A cluster that runs."""

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
    def nights(self) -> Iterator[Nights]:
        with httpx.Client(base_url=self.url("AIRFLOW"), timeout=30) as http:
            yield Nights(http, self.secret("AIRFLOW_PASSWORD"))

    def follow(self, run: str) -> str:
        """The state in which a night ends."""
        with self.nights() as nights:
            until(lambda: nights.state(run) in OVER, PATIENCE, EVERY)
            return nights.state(run)

    def started(self, task: str, run: str) -> None:
        """Waits until an instance of a task of a night runs."""

        def runs() -> bool:
            assert nights.state(run) not in OVER
            return any(one["task_id"] == task and one["state"] == "running" for one in nights.tasks(run))

        with self.nights() as nights:
            until(runs, PATIENCE, EVERY)


@contextlib.contextmanager
def cluster(home: Path, **given: str) -> Iterator[Cluster]:
    """A cluster whose first night has begun; the block ends it."""
    skip_where_something_is_missing()
    env = environment(home, **given)
    with (home / "told.log").open("w") as told:
        process = subprocess.Popen(
            [BIN / "nightshelf", "cluster"], env=env, stdout=told, stderr=told, start_new_session=True
        )
    try:
        until(lambda: process.poll() is not None or "Tonight's run" in (home / "told.log").read_text(), 300)
        assert process.poll() is None, (home / "told.log").read_text()
        yield Cluster(env, process)
    finally:
        process.terminate()
        process.wait(60)
