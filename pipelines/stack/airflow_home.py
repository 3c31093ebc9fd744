"""Airflow's home: its database, and the password of its user."""

import json
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from pipelines.settings import Settings
from pipelines.stack.board import console
from pipelines.stack.programs import script
from serving.errors import NightshelfError


def prepare_home(settings: Settings, environment: Mapping[str, str]) -> None:
    """Writes the password file and brings the database to this version of Airflow, if it isn't yet.

    Raises NightshelfError naming the log where the migration failed.
    """
    write_passwords(settings, environment)
    migrated = Path(environment["AIRFLOW_HOME"], "migrated-to")
    installed = version("apache-airflow-core")
    if not migrated.exists() or migrated.read_text() != installed:
        migrate(settings, environment)
        migrated.write_text(installed)


def write_passwords(settings: Settings, environment: Mapping[str, str]) -> None:
    """Writes the password file, which others can't read, into Airflow's home."""
    passwords = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    passwords.parent.mkdir(parents=True, exist_ok=True)
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({"admin": settings.airflow_password.get_secret_value()}))


def migrate(settings: Settings, environment: Mapping[str, str]) -> None:
    """Brings the database to this version of Airflow; raises NightshelfError naming the log of a failure."""
    console.print("Preparing Airflow's database")
    log = settings.state / "logs" / "airflow-migration.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        done = subprocess.run(  # noqa: S603 - our own
            script("airflow", "db", "migrate"), env=environment, stdout=output, stderr=output, check=False
        )
    if done.returncode:
        raise NightshelfError(f"Airflow's database can't be brought up to date: its log is {log}")


def task_logs(settings: Settings) -> Path:
    """The folder of the task logs."""
    return settings.state.resolve() / "airflow" / "logs"
