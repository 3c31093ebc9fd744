"""A version that release 0.1 registered and promoted still loads and serves, without a gap.

Release 0.1 knew no approvals. A service that served the version approves it after the upgrade; elsewhere
`nightshelf promote` does.

release_0_1.zip is such a version as MLflow stores it. It was made at commit 913baf3 by the functions of that
commit's tests/serving/bundles.py, `register(uri, save(small(), folder / "bundle"))`, and downloaded.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import bundles
import mlflow
import pytest
from homes import fresh_home
from mlflow import MlflowClient

from pipelines.registry import acts
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


@pytest.fixture
def version(model, uri, settings):
    """The number of the version in a registry, as the release before registered and promoted it."""
    client = MlflowClient(uri, uri)
    client.create_registered_model(settings.model_name)
    version = client.create_model_version(settings.model_name, model.as_uri())
    bundles.set_champion(uri, version.version)
    return str(version.version)


def follow(settings):
    state = ServingState()
    Follower(settings, state).poll()
    return state


def served_before(model, uri, settings, version):
    """Puts the version on the service's disk, as release 0.1 did when it served it."""
    created = MlflowClient(uri, uri).get_model_version(settings.model_name, version).creation_timestamp
    name, folder = f"{version}-{created}", settings.state / "bundles"
    shutil.copytree(model / "artifacts" / "bundle", folder / name)
    (folder / "served").write_text(json.dumps({"name": name, "verdict": {}}))
    return folder / name


def test_the_service_that_served_it_goes_on_and_approves_it(model, uri, settings, version):
    served_before(model, uri, settings, version)
    state = follow(settings)
    assert (state.served.version, state.reason) == (version, "")
    assert state.served.bundle.product("coffee-1") == 0
    shutil.rmtree(settings.state)
    assert follow(settings).served.version == version  # as every other replica does, from now on


def test_without_its_registry_the_service_that_served_it_goes_on(model, uri, settings, version):
    served_before(model, uri, settings, version)
    down = settings.model_copy(update={"mlflow_uri": f"sqlite:///{settings.home}/none.db"})
    assert follow(down).served.version == version


def test_a_version_that_this_service_did_not_serve_is_not_approved(model, uri, settings, version):
    copy = served_before(model, uri, settings, version)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"as_of": "2026-01-01"}))
    state = follow(settings)
    assert f"approved no version {version}" in state.reason
    shutil.rmtree(settings.state)
    state = follow(settings)
    assert state.served is None
    assert f"run `nightshelf promote {version} --reason TEXT`" in state.reason


def test_a_promotion_by_hand_approves_it(settings, version):
    with fresh_home(settings.home, CUSTOMER_KEY=bundles.KEY):
        acts.promote(version, "upgrade")
    assert follow(settings).served.version == version


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
