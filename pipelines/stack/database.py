"""PostgreSQL of Debian's package, for the cluster: one server, a database for each that needs one."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
from sqlalchemy import URL

from pipelines.settings import Settings
from pipelines.stack.board import console
from pipelines.stack.programs import Program
from serving.errors import NightshelfError

AIRFLOW, MLFLOW, SERVING = "airflow", "mlflow", "serving"
ROLE = "nightshelf"
SERVER_USER = "postgres"  # as which it runs where we are root, as whom it refuses to
FAST = "INT"  # at which it ends its clients' sessions, for which it would wait at a TERM
PACKAGES = Path("/usr/lib/postgresql")
ERROR = re.compile("error:|ERROR:|FATAL:|PANIC:|could not")
WHO_MAY = "host all all samehost scram-sha-256\n"


def url(settings: Settings, name: str) -> str:
    """The SQLAlchemy URL of one of the databases, with the password."""
    password = settings.database_password.get_secret_value()
    place = URL.create("postgresql+psycopg", ROLE, password, settings.host, settings.database_port, name)
    return place.render_as_string(hide_password=False)


def program(settings: Settings) -> Program:
    """The server."""
    options = {
        "listen_addresses": settings.host,
        "port": settings.database_port,
        "unix_socket_directories": "",
        "max_connections": 200,
    }
    told = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    command = _as_server("postgres", "-D", str(_data(settings)), *told)
    ready = (_binary("pg_isready"), "--quiet", "--host", settings.host, "--port", str(settings.database_port))

    def up(_: httpx.Client) -> bool:
        return subprocess.run(ready, check=False).returncode == 0  # noqa: S603 - our own

    return Program("postgresql", command, up, "database_port", ends_by=FAST)


def prepare(settings: Settings) -> None:
    """Makes the server's data with the databases in it where there is none, and sets the password.

    Raises NightshelfError where the package is missing, or where its user may not enter HOME.
    """
    data = _data(settings)
    if not data.exists():
        console.print("Preparing PostgreSQL")
        _make(data)
    password = settings.database_password.get_secret_value().replace("'", "''")
    _tell(data, f"ALTER ROLE {ROLE} PASSWORD '{password}'")


def _make(data: Path) -> None:
    """Makes the data beside, and puts it in place whole."""
    beside = data.with_name(f".{data.name}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True, mode=0o700)
    if _is_root():
        shutil.chown(beside, SERVER_USER, SERVER_USER)
    _run(
        _as_server(
            "initdb",
            "--pgdata",
            str(beside),
            "--username",
            ROLE,
            "--auth",
            "reject",
            "--encoding",
            "UTF8",
            "--no-locale",
        )
    )
    (beside / "pg_hba.conf").write_text(WHO_MAY)
    for name in (AIRFLOW, MLFLOW, SERVING):
        _tell(beside, f"CREATE DATABASE {name}")
    beside.rename(data)


def _tell(data: Path, statement: str) -> None:
    """Lets the server, which doesn't run, carry out a statement."""
    _run(_as_server("postgres", "--single", "-j", "-D", str(data), "postgres"), f"{statement};\n\n")


def _run(command: tuple[str, ...], told: str = "") -> None:
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603 - our own
    # In the single-user mode it tells of an error, and ends well.
    errors = [line for line in done.stderr.splitlines() if ERROR.search(line)]  # others may quote a password
    if done.returncode or errors:
        why = errors[0] if errors else f"exit code {done.returncode}"
        hint = (
            f"; it runs as user {SERVER_USER}, who must be able to enter NIGHTSHELF_HOME"
            if _is_root()
            else ""
        )
        raise NightshelfError(f"PostgreSQL's data can't be prepared: {why}{hint}")


def _as_server(binary: str, *arguments: str) -> tuple[str, ...]:
    """The command line of one of PostgreSQL's programs, as a user as whom it runs."""
    user = (
        ("setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--init-groups") if _is_root() else ()
    )
    return (*user, _binary(binary), *arguments)


def _binary(name: str) -> str:
    found = sorted(PACKAGES.glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not found:
        raise NightshelfError("there is no PostgreSQL: sudo apt-get install postgresql")
    return str(found[-1] / name)


def _data(settings: Settings) -> Path:
    return settings.state.resolve() / "postgresql"


def _is_root() -> bool:
    return os.geteuid() == 0
