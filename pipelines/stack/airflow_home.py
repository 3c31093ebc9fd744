"""Airflow's home folder: its database, and the password of its user."""

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
    """Writes the password file, and migrates the database if it isn't at the installed version of Airflow.

    Raises NightshelfError naming the log if the migration fails.
    """
    write_passwords(settings, environment)
    marker = Path(environment["AIRFLOW_HOME"], "migrated-to")
    installed = version("apache-airflow-core")
    if not marker.exists() or marker.read_text() != installed:
        migrate(settings, environment)
        marker.write_text(installed)


def write_passwords(settings: Settings, environment: Mapping[str, str]) -> None:
    """Writes the password file into Airflow's home, readable only by its owner."""
    file = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps({"admin": settings.airflow_password.get_secret_value()}))


def migrate(settings: Settings, environment: Mapping[str, str]) -> None:
    """Migrates the database to the installed version of Airflow; raises NightshelfError naming the log."""
    console.print("Preparing Airflow's database")
    log = settings.state / "logs" / "airflow-migration.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.run(  # noqa: S603 - our own
            script("airflow", "db", "migrate"), env=environment, stdout=output, stderr=output, check=False
        )
    if process.returncode:
        raise NightshelfError(f"Airflow's database can't be migrated: see the log {log}")


def task_logs(settings: Settings) -> Path:
    """The folder of the task logs."""
    return settings.state.resolve() / "airflow" / "logs"
