"""MLflow's database and artifacts, into an archive and back: runs, versions, aliases, bundles."""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from pipelines import place
from pipelines.backup import databases
from pipelines.backup.archive import Writer
from pipelines.settings import settings
from serving.errors import NightshelfError

DATABASE, ARTIFACTS = "registry.db", "artifacts"
SCHEMA = "alembic_version"  # MLflow's table of it
FILLED = ("runs", "model_versions")
DATABASES = ("sqlite", "postgresql")
OF_THE_SERVER = ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION")
PROXIED = "mlflow-artifacts:"  # what a database says of artifacts that the server hands out


@dataclass(frozen=True)
class Home:
    """Where MLflow has its database, by a SQLAlchemy URL, and its artifacts, a folder or URL."""

    database: str
    artifacts: str
    roots: tuple[str, ...]  # how the database may name the latter, beginning with how it does of new ones


def home() -> Home:
    """That of the settings; of a server what it was told by its own variables.

    Raises NightshelfError where these aren't set.
    """
    if not settings().mlflow_uri:
        folder = (settings().home / "mlruns" / "artifacts").resolve()
        return Home(settings().tracking_uri, str(folder), (folder.as_uri(), str(folder)))
    database, artifacts = (os.environ.get(name, "") for name in OF_THE_SERVER)
    if not (database.startswith(DATABASES) and artifacts):
        raise NightshelfError(
            f"NIGHTSHELF_MLFLOW_URI names a server: set {' and '.join(OF_THE_SERVER)} to the database (SQLite"
            " or PostgreSQL) and the artifacts that it was started with"
        )
    return Home(database, artifacts, (PROXIED, artifacts.rstrip("/")))


def save(archive: Writer) -> int:
    """How many artifacts were added, after the database as it is now: all that it names are among them."""
    found = home()
    with tempfile.TemporaryDirectory() as folder:
        url = _made(f"sqlite:///{folder}/{DATABASE}")
        _check_schema(found.database, url)
        databases.copy(found.database, url, databases.tables_of(url))
        with Path(folder, DATABASE).open("rb") as file:
            archive.add(DATABASE, file)
    return _save_artifacts(archive, found.artifacts)


def restore(folder: Path, roots: tuple[str, ...]) -> None:
    """Puts artifacts and database of an unpacked archive back.

    roots: how its database names the place of the artifacts.
    """
    found, saved = home(), f"sqlite:///{folder / DATABASE}"
    _upgrade(saved)
    for path in (path for path in (folder / ARTIFACTS).rglob("*") if path.is_file()):
        to = f"{found.artifacts.rstrip('/')}/{path.relative_to(folder / ARTIFACTS)}"
        with place.whole_at(to) as file, path.open("rb") as opened:
            shutil.copyfileobj(opened, file)

    def moved(value: Any) -> Any:
        root = next((one for one in roots if isinstance(value, str) and value.startswith(f"{one}/")), None)
        return value if root is None else f"{found.roots[0]}{value.removeprefix(root)}"

    databases.copy(saved, _made(found.database), databases.tables_of(saved), moved)


def any_there() -> bool:
    """Whether there are runs or versions."""
    return databases.holds(home().database, FILLED)


def _save_artifacts(archive: Writer, place_of_them: str) -> int:
    fs, root = place.at(place_of_them)
    found = fs.find(root) if fs.exists(root) else []
    for path in found:
        with fs.open(path, "rb") as file:
            archive.add_copy(f"{ARTIFACTS}/{path.removeprefix(root).lstrip('/')}", file)
    return len(found)


def _made(url: str) -> str:
    """The URL of a database that has MLflow's tables now."""
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # else it tells of each new table
    MlflowClient(url, url).search_experiments(max_results=1)
    return url


def _check_schema(source: str, fresh: str) -> None:
    there, here = (databases.values(url, SCHEMA) for url in (source, fresh))
    if there != here:
        raise NightshelfError(
            "MLflow's database is of another release of MLflow: run `mlflow db upgrade` on it, or back it up"
            " with the release of Nightshelf that used it"
        )


def _upgrade(url: str) -> None:
    """Lets an older MLflow's database have the tables of this one."""
    done = subprocess.run(  # noqa: S603 - ours
        [Path(sys.executable).with_name("mlflow"), "db", "upgrade", url], capture_output=True, check=False
    )
    if done.returncode:
        raise NightshelfError(
            "the backup's registry is of a later release of MLflow: restore it with the release of Nightshelf"
            " that made it"
        )
