"""What tests share: a home of their own, the real data where it is, one Spark session."""

import contextlib
import os
import random
from pathlib import Path

import pytest
from homes import fresh_home, served

# The folder of the real data sets that some tests use; they skip where it is absent.
DATA = Path(os.environ.get("NIGHTSHELF_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture
def home(tmp_path):
    """A fresh NIGHTSHELF_HOME for one test."""
    with fresh_home(tmp_path) as path:
        yield path


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """The real local Spark session, shared by all tests of a process."""
    from pipelines.spark import session

    with fresh_home(tmp_path_factory.mktemp("spark")):
        started = session()
    yield started
    started.stop()


@pytest.fixture
def serve():
    """A function from an ASGI application to the address where uvicorn serves it till the test ends."""
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
    """A function from a data set's file name to its path; skips the test where it is absent."""

    def find(name):
        if not (DATA / name).exists():
            pytest.skip(f"{name} is not in {DATA}: set NIGHTSHELF_TEST_DATA to the folder that holds it")
        return DATA / name

    return find
