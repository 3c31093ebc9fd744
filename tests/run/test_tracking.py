"""What the nightly runs look like in MLflow."""

import pytest
from mlflow import MlflowClient

from pipelines.run import tracking
from pipelines.settings import settings
from serving.errors import NightshelfError

NOTE = "mlflow.note.content"  # which MLflow's pages show as an experiment's description


@pytest.mark.parametrize("name", [tracking.EXPERIMENT, tracking.REGISTRY_EXPERIMENT])
def test_an_experiment_has_a_description_also_if_an_earlier_release_created_it(home, name):
    client = MlflowClient(settings().tracking_uri)
    old = client.create_experiment(name)
    assert tracking.experiment(name) == old
    assert client.get_experiment(old).tags[NOTE] == tracking.DESCRIPTIONS[name]


def test_a_new_experiment_has_a_description(home):
    created = tracking.experiment(tracking.EXPERIMENT)
    tags = MlflowClient(settings().tracking_uri).get_experiment(created).tags
    assert tags[NOTE] == tracking.DESCRIPTIONS[tracking.EXPERIMENT]


def test_nightly_run_returns_the_run_of_an_id_and_the_newest_without_an_id(home):
    with pytest.raises(NightshelfError, match="no nightly run yet"):
        tracking.nightly_run(None)
    first, second = (tracking.begin(f"{tracking.RUN_PREFIX}2026-01-0{day}", {}) for day in (1, 2))
    assert tracking.nightly_run(first).info.run_id == first
    assert tracking.nightly_run(None).info.run_id == second
    with pytest.raises(NightshelfError, match="has no run"):
        tracking.nightly_run("0" * 32)
