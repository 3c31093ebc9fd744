"""A home of their own for tests, apart from everyone else's, and servers in it."""

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

SOAK = "NIGHTSHELF_TEST_SOAK" in os.environ  # everything, as `make soak` does, not what is drawn by a seed
in_soak = pytest.mark.skipif(not SOAK, reason="it takes minutes: `make soak` runs it")


@contextlib.contextmanager
def fresh_home(path, **given):
    """NIGHTSHELF_HOME at a path with a customer key, other settings as given; all read anew."""
    before = mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("NIGHTSHELF_")]:
            patch.delenv(name)
        for name, value in {"HOME": path, "CUSTOMER_KEY": "a key for tests", **given}.items():
            patch.setenv(f"NIGHTSHELF_{name}", str(value))
        _forget()
        (Path(path) / "mlruns").mkdir(parents=True, exist_ok=True)
        if not (database := Path(path) / "mlruns" / "mlflow.db").exists():
            shutil.copy(_empty_database(), database)
        yield path
    mlflow.set_tracking_uri(before)
    _forget()


@cache
def _empty_database():
    """A database with MLflow's tables and nothing in it, which takes MLflow seconds to make."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = Path(folder) / "mlflow.db"
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


def _forget():
    settings.cache_clear()
    tracking.client.cache_clear()
    tracking.experiment.cache_clear()


@contextlib.contextmanager
def served(app):
    """The address where uvicorn serves an ASGI application until the end of the block."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
