"""The small bundle, an application over it, and a registry in a database of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import bundles
import mlflow
import pytest
from clients import Client
from documented import Documented

from serving.api import create_app
from serving.bundle import Bundle
from serving.live import Live, Served
from serving.settings import ServingSettings

VERDICT = {"verdict": "PROMOTED", "reasons": ["for-you: no worse than the champion"]}


@pytest.fixture
def bundle() -> Bundle:
    return bundles.small()


@pytest.fixture
def live(bundle: Bundle) -> Live:
    return Live(Served("7", bundle, VERDICT))


@pytest.fixture
def client(live: Live) -> Client:
    return Documented(create_app(live, bundles.KEY))


@pytest.fixture
def settings(tmp_path: Path) -> ServingSettings:
    (tmp_path / "mlruns").mkdir()
    return ServingSettings(home=tmp_path, customer_key=bundles.KEY, follow_seconds=0.2, mlflow_uri="")


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables, which take it two seconds to make."""
    file = tmp_path_factory.mktemp("tables") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def uri(settings: ServingSettings, tables: Path) -> Iterator[str]:
    """The address of an empty registry."""
    before = mlflow.get_tracking_uri()
    shutil.copy(tables, settings.home / "mlruns")
    bundles.empty_registry(settings.tracking_uri, settings.home / "mlruns" / "artifacts")
    yield settings.tracking_uri
    mlflow.set_tracking_uri(before)
