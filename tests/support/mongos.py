"""A real server of MongoDB's protocol: FerretDB over SQLite, built once from the module beside it."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pymongo
import pytest
from ports import free_port

MODULE = Path(__file__).with_name("ferretdb")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nightshelf-tests"
GO = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")
START_SECONDS = 30


class Mongo:
    """A server with its own data folder and port, which can be killed and started again."""

    def __init__(self, folder):
        self.program, self.folder = _program(), Path(folder)
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"mongodb://{self.address}/shop"
        self.process = None

    def start(self):
        with (self.folder / "log").open("a") as log:
            command = [self.program, self.address, self.folder]
            environment = os.environ | {"DO_NOT_TRACK": "1"}
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, cwd=self.folder
            )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", int(self.address[10:]))),
            ):
                return self
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text()[-3000:])

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None


@contextlib.contextmanager
def mongo(folder):
    """Runs a server until the block ends and yields it; skips the test without Go."""
    server = Mongo(folder)
    try:
        yield server.start()
    finally:
        server.kill()


@contextlib.contextmanager
def client(server):
    """A client that is closed after the block."""
    with pymongo.MongoClient(server.url, serverSelectionTimeoutMS=10_000) as connected:
        yield connected


def _program():
    """Returns the program, built with the versions in go.sum."""
    if GO is None:
        pytest.skip("Go is not installed: sudo apt-get install golang")
    sources = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    CACHE.mkdir(parents=True, exist_ok=True)
    program = CACHE / f"ferretdb-{hashlib.sha256(sources).hexdigest()[:16]}"
    with (CACHE / "ferretdb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes of a test run need it at once
        if not program.exists():
            _build(program)
    return program


def _build(program):
    new = program.with_suffix(".new")
    command = [GO, "build", "-buildvcs=false", "-tags", "ferretdb_sqlite", "-o", new, "."]
    result = subprocess.run(command, cwd=MODULE, capture_output=True, text=True, check=False)
    if result.returncode != 0 and any(
        text in result.stderr for text in ("requires go", "toolchain", "go.mod file indicates")
    ):
        pytest.skip(f"{GO} is too old for FerretDB: it needs the version in {MODULE.name}/go.mod")
    assert result.returncode == 0, result.stderr[-3000:]
    new.replace(program)
