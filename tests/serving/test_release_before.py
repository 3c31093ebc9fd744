"""A version that release 0.1 registered still loads and serves.

release_0_1.zip is such a version as MLflow stores it. It was made at commit 913baf3 by the functions of that
commit's tests/serving/bundles.py, `register(uri, save(small(), folder / "bundle"))`, and downloaded.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import bundles
import mlflow
import pytest
from mlflow import MlflowClient

from serving.live.follow import Follower
from serving.live.served import ServingState

ARCHIVE = Path(__file__).with_name("release_0_1.zip")
QUERY = [{"customer": bundles.ANNA, "lane": "for-you", "n": 2}]
PREDICT = """
import sys, mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
(answer,) = model.predict([{"customer": sys.argv[2], "lane": "for-you", "n": 2}])
print(answer.products)
"""


@pytest.fixture
def model(tmp_path):
    """The folder of the version's artifacts."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path / "old")
    return tmp_path / "old" / "model"


def test_the_service_serves_it(model, uri, settings):
    client = MlflowClient(uri, uri)
    client.create_registered_model(settings.model_name)
    version = client.create_model_version(settings.model_name, model.as_uri())
    bundles.promote(uri, version.version)
    state = ServingState()
    Follower(settings, state).poll()
    assert state.served is not None, state.reason
    assert state.served.version == str(version.version)
    assert state.served.bundle.product("coffee-1") == 0


def test_it_predicts_in_a_new_process(model):
    environment = os.environ | {"NIGHTSHELF_CUSTOMER_KEY": bundles.KEY}
    command = [sys.executable, "-c", PREDICT, str(model), bundles.ANNA]
    result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "['coffee-1', 'coffee-2']"


def test_it_predicts_after_this_release_was_imported(model, monkeypatch):
    monkeypatch.setenv("NIGHTSHELF_CUSTOMER_KEY", bundles.KEY)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (answer,) = mlflow.pyfunc.load_model(str(model)).predict(QUERY)
    assert answer.products == ["coffee-1", "coffee-2"]
