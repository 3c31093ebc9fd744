"""A separate NIGHTSHELF_HOME for tests, and servers of ASGI applications."""

import atexit
import contextlib
import os
import shutil
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

import mlflow
import pytest
import uvicorn
from mlflow import MlflowClient

from pipelines.run import tracking
from pipelines.settings import settings

SOAK = "NIGHTSHELF_TEST_SOAK" in os.environ  # runs all cases, as `make soak` does, not a random sample
in_soak = pytest.mark.skipif(not SOAK, reason="it takes minutes: `make soak` runs it")


@contextlib.contextmanager
def fresh_home(path, **given):
    """Sets NIGHTSHELF_HOME to a path, a customer key and the given settings; yields the path.

    Unsets all other NIGHTSHELF_* variables but those of the tests. Clears the caches of settings before and
    after the block.
    """
    before = mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("NIGHTSHELF_")]:
            if "_TEST_" not in name:  # a seed to repeat, or a folder of data
                patch.delenv(name)
        for name, value in {"HOME": path, "CUSTOMER_KEY": "a key for tests", **given}.items():
            patch.setenv(f"NIGHTSHELF_{name}", str(value))
        _clear_caches()
        put_empty_mlflow_database(Path(path))
        yield path
    mlflow.set_tracking_uri(before)
    _clear_caches()


def put_empty_mlflow_database(home):
    """Copies a database with MLflow's empty tables into a home that has none."""
    database = home / "mlruns" / "mlflow.db"
    database.parent.mkdir(parents=True, exist_ok=True)
    if not database.exists():
        shutil.copy(_empty_database(), database)


@cache
def _empty_database():
    """Returns a database with MLflow's empty tables, which take MLflow seconds to create."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = Path(folder) / "mlflow.db"
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


def _clear_caches():
    settings.cache_clear()
    tracking.client.cache_clear()
    tracking.experiment.cache_clear()


@contextlib.contextmanager
def served(app):
    """Yields the address where uvicorn serves an ASGI application until the end of the block."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
