"""A home of their own for tests: settings, lake and registry apart from everyone else's."""

import contextlib
import os

import mlflow
import pytest

from pipelines import tracking
from pipelines.settings import settings


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
        yield path
    mlflow.set_tracking_uri(before)
    _forget()


def _forget():
    settings.cache_clear()
    tracking.client.cache_clear()
    tracking._experiment.cache_clear()
