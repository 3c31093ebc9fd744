"""Backup and restore of MLflow's database and artifacts: runs, versions, aliases and bundles."""

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
SCHEMA_TABLE = "alembic_version"  # in which MLflow keeps its schema's revision
VERSIONS = ("model_versions",)
DATA_TABLES = ("runs", *VERSIONS)
DIALECTS = ("sqlite", "postgresql")
SERVER_VARIABLES = ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION")
PROXIED = "mlflow-artifacts:"  # the scheme of artifacts that clients read through the MLflow server


@dataclass(frozen=True)
class Storage:
    """Where MLflow keeps its database (a SQLAlchemy URL) and its artifacts (a folder or URL).

    roots: how the database may write the artifacts' location; new entries use the first.
    """

    database: str
    artifacts: str
    roots: tuple[str, ...]


def storage() -> Storage:
    """MLflow's storage: in NIGHTSHELF_HOME, or that of a server by the variables that it was started with.

    Raises NightshelfError if NIGHTSHELF_MLFLOW_URI is set and these variables are not.
    """
    if not settings().mlflow_uri:
        folder = (settings().home / "mlruns" / "artifacts").resolve()
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Storage(settings().tracking_uri, str(folder), (folder.as_uri(), str(folder)))
    database, artifacts = (os.environ.get(name, "") for name in SERVER_VARIABLES)
    if not (database.startswith(DIALECTS) and artifacts):
        raise NightshelfError(
            f"NIGHTSHELF_MLFLOW_URI names a server: set {' and '.join(SERVER_VARIABLES)} to the database"
            " (SQLite or PostgreSQL) and the artifact location that it was started with"
        )
    return Storage(database, artifacts, (PROXIED, artifacts.rstrip("/")))


def save(writer: Writer) -> int:
    """Adds the database and then all artifacts to an archive, and returns the number of artifacts.

    In this order, every artifact that the database names is saved. Raises NightshelfError if versions are
    registered but no bundle is among the artifacts.
    """
    source = storage()
    with tempfile.TemporaryDirectory() as folder:
        _save_database(source.database, _saved(Path(folder)))
        with Path(folder, DATABASE).open("rb") as file:
            writer.add(DATABASE, file)
        has_versions = databases.has_rows(_saved(Path(folder)), VERSIONS)
    paths = _save_artifacts(writer, source.artifacts)
    if has_versions and not any(path.endswith(f"/{MANIFEST}") for path in paths):
        raise NightshelfError(
            f"{source.artifacts} has none of the bundles that MLflow's database names: set"
            " MLFLOW_ARTIFACTS_DESTINATION to the location that the MLflow server was started with, or"
            " restore the bundles if they were deleted"
        )
    return len(paths)


def restore(folder: Path, roots: tuple[str, ...]) -> None:
    """Restores artifacts and database from an unpacked archive, after `upgrade`.

    roots: how the archive's database may write the artifacts' location.
    """
    target, saved = storage(), _saved(folder)
    for path in (path for path in (folder / ARTIFACTS).rglob("*") if path.is_file()):
        to = f"{target.artifacts.rstrip('/')}/{path.relative_to(folder / ARTIFACTS)}"
        with files.atomic_write(to) as file, path.open("rb") as artifact:
            shutil.copyfileobj(artifact, file)

    def relocate(value: Any) -> Any:
        return _relocate(value, roots, target.roots[0]) if isinstance(value, str) else value

    databases.copy(saved, _with_tables(target.database), databases.reflect(saved), relocate)


def upgrade(folder: Path) -> None:
    """Upgrades the database of an unpacked archive to the schema of the installed MLflow.

    Raises NightshelfError if it comes from a later release of MLflow.
    """
    current = storage().database
    # Fails at once if the database is down, where MLflow would retry for minutes.
    databases.has_rows(current, DATA_TABLES)
    if databases.read_table(_saved(folder), SCHEMA_TABLE) == databases.read_table(
        _with_tables(current), SCHEMA_TABLE
    ):
        return
    try:
        db.commands.main(["upgrade", _saved(folder)], standalone_mode=False)  # `mlflow db upgrade`
    except CommandError:
        raise NightshelfError(
            "the backup's registry was written by a later release of MLflow: restore it with the release of"
            " Nightshelf that made it"
        ) from None


def has_data() -> bool:
    """Returns whether the registry holds runs or versions."""
    return databases.has_rows(storage().database, DATA_TABLES)


def _save_database(source: str, to: str) -> None:
    if not databases.read_table(source, SCHEMA_TABLE):  # before the first nightly run
        _with_tables(source)
    if source.startswith("sqlite"):
        databases.copy_sqlite(source, to)
        return
    _check_schema(source, _with_tables(to))
    databases.copy(source, to, databases.reflect(to))


def _saved(folder: Path) -> str:
    """Returns the URL of the database in an unpacked archive."""
    return f"sqlite:///{folder / DATABASE}"


def _relocate(text: str, roots: tuple[str, ...], new: str) -> str:
    """Returns a location below one of the roots as a location below `new`; any other text unchanged."""
    root = next((root for root in roots if f"{text}/".startswith(f"{root}/")), None)
    if root is None:
        return text
    below = text.removeprefix(root)
    return f"{new}/" if new == PROXIED and not below else f"{new}{below}"


def _save_artifacts(writer: Writer, location: str) -> list[str]:
    """Adds all artifacts to an archive, and returns their paths."""
    fs, root = files.resolve(location)
    paths: list[str] = fs.find(root) if fs.exists(root) else []
    for path in paths:
        with fs.open(path, "rb") as file:
            writer.add_copy(f"{ARTIFACTS}/{path.removeprefix(root).lstrip('/')}", file)
    return paths


def _with_tables(url: str) -> str:
    """Creates MLflow's tables in a database if they are missing, and returns its URL."""
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # it logs each new table at INFO
    MlflowClient(url, url).search_experiments(max_results=1)
    return url


def _check_schema(source: str, fresh: str) -> None:
    saved, installed = (databases.read_table(url, SCHEMA_TABLE) for url in (source, fresh))
    if saved != installed:
        raise NightshelfError(
            "MLflow's database belongs to another release of MLflow: run `mlflow db upgrade` on it, or back"
            " it up with the release of Nightshelf that used it"
        )
