"""Real servers of databases, from Debian's packages, each with its own data folder and port."""

import contextlib
import getpass
import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from ports import free_port

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
SERVER_USER = "postgres"  # PostgreSQL doesn't run as root
MARIADB = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
MARIADB_INSTALL = shutil.which("mariadb-install-db", path=f"{os.environ['PATH']}:/usr/bin")
START_SECONDS = 60


@contextlib.contextmanager
def postgresql(folder):
    """Runs a server until the block ends and yields its SQLAlchemy URL; skips without the package."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed: sudo apt-get install postgresql")
    data, port = Path(folder) / "data", free_port()
    data.mkdir()
    if os.geteuid() == 0:
        for path in (data, *data.parents[:4]):
            path.chmod(path.stat().st_mode | 0o055)  # the other user must be able to reach it
        shutil.chown(data, SERVER_USER)
    _run("initdb", "--pgdata", data, "--username", "shop", "--auth", "trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    _run(
        "pg_ctl", "start", "--wait", "--silent", "--pgdata", data, "--log", data / "log", "--options", options
    )
    try:
        yield f"postgresql+psycopg://shop:a-secret@127.0.0.1:{port}/postgres"
    finally:
        _run("pg_ctl", "stop", "--wait", "--silent", "--mode", "immediate", "--pgdata", data)


@contextlib.contextmanager
def mariadb(folder):
    """Runs a server until the block ends and yields its SQLAlchemy URL; skips without the package."""
    if not (MARIADB and MARIADB_INSTALL):
        pytest.skip("MariaDB is not installed: sudo apt-get install mariadb-server")
    data, port = Path(folder) / "data", free_port()
    same = [f"--datadir={data}", f"--user={getpass.getuser()}", "--innodb-flush-log-at-trx-commit=0"]
    install = [
        MARIADB_INSTALL,
        "--no-defaults",
        *same,
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]
    result = subprocess.run(install, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    options = [
        *same,
        "--bind-address=127.0.0.1",
        f"--port={port}",
        f"--socket={data}/socket",
        "--skip-name-resolve",
    ]
    with (data / "log").open("w") as log:
        server = subprocess.Popen([MARIADB, "--no-defaults", *options], stdout=log, stderr=log)
    try:
        url = f"mysql://root@127.0.0.1:{port}/mysql"
        _wait_for(url, server, data / "log")
        yield url
    finally:
        server.kill()
        server.wait()


def _wait_for(url, server, log):
    """Returns once a connection succeeds."""
    engine = sa.create_engine(driver(url), poolclass=sa.NullPool)
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(sa.exc.OperationalError), engine.connect():
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-3000:])


def driver(url):
    """Returns a URL that names the installed driver."""
    return url.replace("mysql://", "mysql+pymysql://")


def new_database(server):
    """Creates an empty database on a server and returns its URL."""
    name = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(driver(server), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    return f"{server.rpartition('/')[0]}/{name}"


def _run(command, *arguments):
    user = {"user": SERVER_USER, "group": SERVER_USER, "extra_groups": []} if os.geteuid() == 0 else {}
    result = subprocess.run(
        [BINARIES[-1] / command, *arguments], cwd="/", capture_output=True, text=True, check=False, **user
    )
    assert result.returncode == 0, result.stderr
