"""MLflow's database and artifacts, into an archive and back: runs, versions, aliases, bundles."""

import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from mlflow import MlflowClient, db

from pipelines.backup import databases
from pipelines.backup.archive import Writer
from pipelines.lake import files
from pipelines.settings import settings
from serving.bundle.files import MANIFEST
from serving.errors import NightshelfError

DATABASE, ARTIFACTS = "registry.db", "artifacts"
SCHEMA = "alembic_version"  # MLflow's table of it
VERSIONS = ("model_versions",)
FILLED = ("runs", *VERSIONS)
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
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Home(settings().tracking_uri, str(folder), (folder.as_uri(), str(folder)))
    database, artifacts = (os.environ.get(name, "") for name in OF_THE_SERVER)
    if not (database.startswith(DATABASES) and artifacts):
        raise NightshelfError(
            f"NIGHTSHELF_MLFLOW_URI names a server: set {' and '.join(OF_THE_SERVER)} to the database (SQLite"
            " or PostgreSQL) and the artifacts that it was started with"
        )
    return Home(database, artifacts, (PROXIED, artifacts.rstrip("/")))


def save(archive: Writer) -> int:
    """How many artifacts were added, after the database as it is now: all that it names are among them.

    Raises NightshelfError where versions are registered, and no bundle is among the artifacts.
    """
    found = home()
    with tempfile.TemporaryDirectory() as folder:
        _save_database(found.database, _saved(Path(folder)))
        with Path(folder, DATABASE).open("rb") as file:
            archive.add(DATABASE, file)
        versions = databases.holds(_saved(Path(folder)), VERSIONS)
    added = _save_artifacts(archive, found.artifacts)
    if versions and not any(path.endswith(f"/{MANIFEST}") for path in added):
        raise NightshelfError(
            f"{found.artifacts} has none of the bundles that MLflow's database names: they were deleted, or"
            " its server was started with another MLFLOW_ARTIFACTS_DESTINATION"
        )
    return len(added)


def restore(folder: Path, roots: tuple[str, ...]) -> None:
    """Puts artifacts and database of an unpacked and upgraded archive back.

    roots: how its database names the place of the artifacts.
    """
    found, saved = home(), _saved(folder)
    for path in (path for path in (folder / ARTIFACTS).rglob("*") if path.is_file()):
        to = f"{found.artifacts.rstrip('/')}/{path.relative_to(folder / ARTIFACTS)}"
        with files.atomic_write(to) as file, path.open("rb") as opened:
            shutil.copyfileobj(opened, file)

    def moved(value: Any) -> Any:
        return _moved(value, roots, found.roots[0]) if isinstance(value, str) else value

    databases.copy(saved, _made(found.database), databases.tables_of(saved), moved)


def upgrade(folder: Path) -> None:
    """Lets the database of an unpacked archive be this MLflow's; raises where it is a later one's."""
    here = home().database
    databases.holds(here, FILLED)  # says that it is down at once, where MLflow tries for minutes
    if databases.values(_saved(folder), SCHEMA) == databases.values(_made(here), SCHEMA):
        return
    try:
        db.commands.main(["upgrade", _saved(folder)], standalone_mode=False)  # `mlflow db upgrade`
    except CommandError:
        raise NightshelfError(
            "the backup's registry is of a later release of MLflow: restore it with the release of Nightshelf"
            " that made it"
        ) from None


def any_there() -> bool:
    """Whether there are runs or versions."""
    return databases.holds(home().database, FILLED)


def _save_database(source: str, to: str) -> None:
    if not databases.values(source, SCHEMA):  # there was no night yet
        _made(source)
    if source.startswith("sqlite"):
        databases.clone(source, to)
        return
    _check_schema(source, _made(to))
    databases.copy(source, to, databases.tables_of(to))


def _saved(folder: Path) -> str:
    return f"sqlite:///{folder / DATABASE}"


def _moved(text: str, roots: tuple[str, ...], new: str) -> str:
    """A place below one of some roots, below another now; every other text as it is."""
    root = next((one for one in roots if f"{text}/".startswith(f"{one}/")), None)
    if root is None:
        return text
    below = text.removeprefix(root)
    return f"{new}/" if new == PROXIED and not below else f"{new}{below}"


def _save_artifacts(archive: Writer, place_of_them: str) -> list[str]:
    fs, root = files.resolve(place_of_them)
    found = fs.find(root) if fs.exists(root) else []
    for path in found:
        with fs.open(path, "rb") as file:
            archive.add_copy(f"{ARTIFACTS}/{path.removeprefix(root).lstrip('/')}", file)
    return found


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
