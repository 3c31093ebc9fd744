"""Versions in MLflow that learned of a forgotten customer are named, and deleted on demand."""

import subprocess
import sys
from pathlib import Path

import bundles
import pytest
from homes import fresh_home
from mlflow import MlflowClient
from processes import environment

from pipelines.registry import acts, versions
from serving.bundle.files import save
from serving.live.follow import Follower
from serving.live.identity import pseudonym
from serving.live.served import ServingState

COMMAND = Path(sys.executable).with_name("nightshelf")
ANNA = pseudonym(bundles.ANNA, bundles.KEY)


@pytest.fixture
def promoted(settings, uri, bundle, tmp_path):
    """Three versions that learned of Anna, each promoted and served in turn."""
    with fresh_home(settings.home, CUSTOMER_KEY=bundles.KEY):
        for _ in range(3):
            acts.promote(bundles.register(uri, save(bundle, tmp_path / "bundle")), "a night")
            Follower(settings, ServingState()).poll()
    return settings.home


def forget(home, *options):
    command = [COMMAND, "forget", *options, "--", bundles.ANNA]
    result = subprocess.run(
        command, env=environment(home, customer_key=bundles.KEY), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    return " ".join(result.stdout.split())


def files_naming(home, text):
    """Returns the files below MLflow's artifacts and the service's copies that hold a text."""
    roots = (home / "mlruns" / "artifacts", home / ".nightshelf" / "bundles")
    files = (path for root in roots for path in root.rglob("*") if path.is_file())
    return {path for path in files if text.encode() in path.read_bytes()}


def test_forget_names_the_versions_and_deletes_them_on_demand(promoted, uri):
    assert len(files_naming(promoted, ANNA)) == 6
    shown = forget(promoted)
    assert "still in MLflow: versions 3, 2, 1." in shown
    assert len(files_naming(promoted, ANNA)) == 6
    shown = forget(promoted, "--delete-versions")
    assert "versions deleted: 2, 1" in shown
    assert "versions 3." in shown
    assert {version.version for version in MlflowClient(uri, uri).search_model_versions("")} == {3}
    left = files_naming(promoted, ANNA)
    assert len(left) == 2  # the champion's artifact, and the service's copy of it
    assert len({path.parent for path in left if path.is_relative_to(promoted / ".nightshelf")}) == 1


def test_after_a_deletion_a_rollback_goes_to_a_version_that_exists(promoted, uri, bundle, tmp_path):
    forget(promoted, "--delete-versions")
    with fresh_home(promoted, CUSTOMER_KEY=bundles.KEY):
        assert versions.find_alias(acts.PREVIOUS) is None
        acts.promote(bundles.register(uri, save(bundle, tmp_path / "bundle")), "the next night")
        assert acts.rollback(None, "odd") == "3"
        assert [run.data.tags[acts.ACT] for run in acts.acts()].count(acts.DELETED) == 2
