"""Shared fixtures: a fresh home, the real data if present, one Spark session, servers, the small bundle."""

import contextlib
import functools
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bundles
import mlflow
import pytest
from clients import Client
from databases import mariadb, new_database, postgresql
from documented import DocumentedClient
from homes import fresh_home, put_empty_mlflow_database, served
from xdist.scheduler import LoadFileScheduling

from serving.bundle.format import Bundle
from serving.http.routes import create_app
from serving.live.served import Served, ServingState
from serving.settings import ServingSettings, collect_rarely

collect_rarely()
# No test reads the settings of the person who runs it: `make run` leaves a .env in the project's folder.
for _name in [name for name in os.environ if name.startswith("NIGHTSHELF_") and "_TEST_" not in name]:
    del os.environ[_name]
os.environ["NIGHTSHELF_HOME"] = tempfile.mkdtemp(prefix="nightshelf-tests-")

# With tables as small as the tests' own, compiling code takes longer than reading them. Code that is compiled
# less needs larger stacks.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss4m")
SMALL = {"shuffle.partitions": "1", "codegen.wholeStage": "false", "codegen.factoryMode": "NO_CODEGEN"}
VERDICT = {"verdict": "PROMOTED", "reasons": ["for-you: no worse than the champion"]}
# The folder of the real data sets; tests that use them are skipped without it.
DATA = Path(os.environ.get("NIGHTSHELF_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
# The folder of inputs as real shops have them; tests that use them are skipped without it.
FIELD = Path(os.environ.get("NIGHTSHELF_TEST_FIELD", DATA.parent / "field"))


class ByFileAndEngine(LoadFileScheduling):
    """Gives each file to one process, and all tests of Spark to the same: a session takes long to start."""

    def _split_scope(self, nodeid):
        is_sparks = "spark" in nodeid or "test_engines" in nodeid or "test_als" in nodeid
        return "spark" if is_sparks else super()._split_scope(nodeid)


def pytest_sessionstart(session):
    """Compiles once, before several processes need the machine code, some of them within seconds."""
    if getattr(session.config.option, "numprocesses", None):
        subprocess.run([sys.executable, "-m", "pipelines.stack.compiling"], check=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Returns the scheduler of `--dist loadfile`."""
    return ByFileAndEngine(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture
def home(tmp_path):
    """A fresh NIGHTSHELF_HOME for one test."""
    with fresh_home(tmp_path) as path:
        yield path


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """The real local Spark session, shared by all tests of a process."""
    from pipelines.lake.spark import session

    with fresh_home(tmp_path_factory.mktemp("spark")):
        started = session()
    for name, value in SMALL.items():
        started.conf.set(f"spark.sql.{name}", value)
    yield started
    started.stop()


@pytest.fixture
def spark_engine(spark, home, monkeypatch):
    """Makes Spark compute the tables of one test."""
    from pipelines.settings import settings

    monkeypatch.setenv("NIGHTSHELF_SPARK_MASTER", "local[*]")
    settings.cache_clear()


@pytest.fixture
def engine(request, home):
    """The engine of one test that computes the tables: `duckdb` or `spark`."""
    if request.param == "spark":
        request.getfixturevalue("spark_engine")
    return request.param


@pytest.fixture(scope="session")
def postgresql_server():
    """The URL of a real PostgreSQL server, shared by all tests of a process."""
    # Not below pytest's own folder: each start of pytest closes that to the server's user.
    with tempfile.TemporaryDirectory() as folder, postgresql(folder) as url:
        yield url


@pytest.fixture(scope="module")
def database(postgresql_server):
    """The URL of an empty database of that server, for one module."""
    return new_database(postgresql_server)


@pytest.fixture(scope="session")
def mariadb_server():
    """The URL of a real MariaDB server, shared by all tests of a process."""
    with tempfile.TemporaryDirectory() as folder, mariadb(folder) as url:
        yield url


@pytest.fixture(scope="module")
def mariadb_database(mariadb_server):
    """The URL of an empty database of that server, for one module."""
    return new_database(mariadb_server)


@pytest.fixture
def serve():
    """A function from an ASGI application to the address at which uvicorn serves it until the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda app: stack.enter_context(served(app))


@pytest.fixture
def seed():
    """A new seed each time, printed so that a failure can be repeated with NIGHTSHELF_TEST_SEED."""
    chosen = int(os.environ.get("NIGHTSHELF_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"seed {chosen}")
    return chosen


@pytest.fixture(scope="session")
def data():
    """A function from a data set's file name to its path; skips the test if there is no such file."""
    return functools.partial(_found, DATA, "NIGHTSHELF_TEST_DATA")


@pytest.fixture(scope="session")
def field():
    """A function from the path of an input of a real shop's shape to its path; skips the test without it."""
    return functools.partial(_found, FIELD, "NIGHTSHELF_TEST_FIELD")


def _found(folder, variable, name):
    if not (folder / name).exists():
        pytest.skip(f"{name} is not in {folder}: set {variable} to the folder that holds it")
    return folder / name


@pytest.fixture
def bundle() -> Bundle:
    return bundles.small()


@pytest.fixture
def live(bundle: Bundle) -> ServingState:
    return ServingState(Served("7", bundle, VERDICT))


@pytest.fixture
def client(live: ServingState) -> Client:
    return DocumentedClient(create_app(live, bundles.KEY))


@pytest.fixture
def settings(tmp_path: Path) -> ServingSettings:
    (tmp_path / "mlruns").mkdir()
    return ServingSettings(home=tmp_path, customer_key=bundles.KEY, follow_seconds=0.2, mlflow_uri="")


@pytest.fixture
def uri(settings: ServingSettings) -> Iterator[str]:
    """The address of an empty registry."""
    before = mlflow.get_tracking_uri()
    put_empty_mlflow_database(settings.home)
    bundles.empty_registry(settings.tracking_uri, settings.home / "mlruns" / "artifacts")
    yield settings.tracking_uri
    mlflow.set_tracking_uri(before)
