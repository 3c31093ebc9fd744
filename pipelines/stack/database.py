"""The cluster's PostgreSQL server, from Debian's package, with a database for each program that needs one."""

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
SERVER_USER = "postgres"  # the user that runs the server if we are root, which PostgreSQL refuses
FAST = "INT"  # ends the clients' sessions; on TERM the server would wait for them
PACKAGES = Path("/usr/lib/postgresql")
PASSABLE = 0o711  # of the folder with the data: SERVER_USER must get through, and sees no names in it
ERROR = re.compile("error:|ERROR:|FATAL:|PANIC:|could not")
ACCESS_RULES = "host all all samehost scram-sha-256\n"


def url(settings: Settings, name: str) -> str:
    """The SQLAlchemy URL of a database, including the password."""
    password = settings.database_password.get_secret_value()
    database_url = URL.create(
        "postgresql+psycopg", ROLE, password, settings.host, settings.database_port, name
    )
    return database_url.render_as_string(hide_password=False)


def program(settings: Settings) -> Program:
    """The server as a program of the stack."""
    options = {
        "listen_addresses": settings.host,
        "port": settings.database_port,
        "unix_socket_directories": "",
        "max_connections": 200,
    }
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    command = _as_server("postgres", "-D", str(_data(settings)), *arguments)
    ready = (_binary("pg_isready"), "--quiet", "--host", settings.host, "--port", str(settings.database_port))

    def is_up(_: httpx.Client) -> bool:
        return subprocess.run(ready, check=False).returncode == 0  # noqa: S603 - our own

    return Program("postgresql", command, is_up, "database_port", stop_signal=FAST)


def prepare(settings: Settings) -> None:
    """Creates the server's data and databases if they are missing, and sets the password.

    Raises NightshelfError if the package is missing, or if its user can't enter HOME.
    """
    data = _data(settings)
    data.parent.mkdir(parents=True, exist_ok=True)
    if _is_root():
        data.parent.chmod(PASSABLE)
    if not data.exists():
        console.print("Preparing PostgreSQL")
        _create(data)
    password = settings.database_password.get_secret_value().replace("'", "''")
    _execute(data, f"ALTER ROLE {ROLE} PASSWORD '{password}'")


def _create(data: Path) -> None:
    """Creates the data in a temporary folder, and renames it when it is complete."""
    temporary = data.with_name(f".{data.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True, mode=0o700)
    if _is_root():
        shutil.chown(temporary, SERVER_USER, SERVER_USER)
    _run(
        _as_server(
            "initdb",
            "--pgdata",
            str(temporary),
            "--username",
            ROLE,
            "--auth",
            "reject",
            "--encoding",
            "UTF8",
            "--no-locale",
        )
    )
    (temporary / "pg_hba.conf").write_text(ACCESS_RULES)
    for name in (AIRFLOW, MLFLOW, SERVING):
        _execute(temporary, f"CREATE DATABASE {name}")
    temporary.rename(data)


def _execute(data: Path, statement: str) -> None:
    """Executes a statement in PostgreSQL's single-user mode, while the server doesn't run."""
    _run(_as_server("postgres", "--single", "-j", "-D", str(data), "postgres"), f"{statement};\n\n")


def _run(command: tuple[str, ...], stdin: str = "") -> None:
    process = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603 - our own
    # The single-user mode exits with 0 even after an error.
    errors = [
        line for line in process.stderr.splitlines() if ERROR.search(line)
    ]  # other lines may quote a password
    if process.returncode or errors:
        reason = errors[0] if errors else f"exit code {process.returncode}"
        hint = (
            f"; the server runs as user {SERVER_USER}, which must be able to enter NIGHTSHELF_HOME"
            if _is_root()
            else ""
        )
        raise NightshelfError(f"PostgreSQL's data can't be prepared: {reason}{hint}")


def _as_server(binary: str, *arguments: str) -> tuple[str, ...]:
    """The command line of a PostgreSQL program, run as SERVER_USER if we are root."""
    user = (
        ("setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--init-groups") if _is_root() else ()
    )
    return (*user, _binary(binary), *arguments)


def _binary(name: str) -> str:
    folders = sorted(PACKAGES.glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not folders:
        raise NightshelfError("PostgreSQL is not installed: sudo apt-get install postgresql")
    return str(folders[-1] / name)


def _data(settings: Settings) -> Path:
    return settings.state.resolve() / "postgresql"


def _is_root() -> bool:
    return os.geteuid() == 0
