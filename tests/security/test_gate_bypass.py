"""A version with the champion's alias that the gate didn't approve stops a nightly run with a message."""

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from processes import environment
from shops import catalogue, random_shop

from pipelines.gate.conditions import Condition
from pipelines.registry import acts, approvals, versions
from pipelines.run import tracking
from pipelines.run.night import Night
from pipelines.settings import settings
from pipelines.steps import backtest_champion, gate, publish
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.bundle import files
from serving.errors import NightshelfError
from serving.recommend.lanes import LANES

CHOSEN = ModelSettings(
    als=AlsSettings(rank=4, iterations=2),
    half_lives=HalfLives(trend=7, repurchase=30),
    lanes=dict.fromkeys(LANES, "als"),
)
COMMAND = Path(sys.executable).with_name("nightshelf")


@pytest.fixture
def folder(home, tmp_path):
    known = random_shop(1)
    products = catalogue([product.decode() for product in known.products])
    bundle = fit_bundle(known, products, CHOSEN, no_rules(products.num_rows), "implicit")
    return files.save(bundle, tmp_path / "bundle")


@pytest.fixture
def night(folder):
    """A nightly run whose version is registered and not decided yet."""
    run_id = tracking.begin("night", {})
    version = versions.register(folder, run_id, {versions.CHOSEN: CHOSEN.model_dump_json()})
    tracking.log(run_id, tags={tracking.VERSION: version})
    return Night(
        as_of="2026-01-31",
        source="files",
        path="",
        mapping="",
        sweep="quick",
        solver="implicit",
        run_id=run_id,
    )


def by_hand(version=None):
    """Gives the champion's alias to a version as anyone who reaches MLflow can; returns the version."""
    client = MlflowClient(settings().tracking_uri, settings().tracking_uri)
    if version is None:
        source = versions.find("1").source
        version = client.create_model_version(settings().model_name, source).version
    client.set_registered_model_alias(settings().model_name, "champion", version)
    return str(version)


def test_a_nightly_run_says_which_version_it_found(night):
    version = by_hand()
    with pytest.raises(
        NightshelfError, match=f"approved no version {version} .* `nightshelf promote {version} "
    ):
        backtest_champion.run(night)


def test_the_command_prints_one_line_and_status_names_the_version(night, home):
    version = by_hand()
    env = environment(home, customer_key="a key for tests")
    compared, shown = (
        subprocess.run([COMMAND, *arguments], env=env, capture_output=True, text=True, check=False)
        for arguments in (["compare"], ["status"])
    )
    assert (compared.returncode, compared.stderr.count("\n")) == (1, 1)
    assert f"approved no version {version}" in compared.stderr
    assert f"approved no version {version}" in " ".join(shown.stdout.split())
    assert "Traceback" not in compared.stderr + shown.stderr


def test_a_version_of_a_refusing_gate_is_not_promoted_by_its_run(night):
    """The run's own tag says PROMOTED, which anyone who reaches MLflow can write."""
    version = tracking.tag(night.run_id, tracking.VERSION)
    approvals.decide(versions.find(version), versions.verdict_tags("REFUSED", ["worse"]), approved=False)
    forged = f'{{"verdict": "PROMOTED", "reasons": [], "version": "{version}", "champion": null}}'
    tracking.log(night.run_id, tags={tracking.DECISION: forged})
    with pytest.raises(NightshelfError, match="approved no version 1"):
        publish.run(night)
    assert versions.find_alias("champion") is None


def test_the_gate_refuses_a_bundle_that_was_changed_after_its_registration(night, folder):
    version = by_hand()  # not registered by this installation
    (condition,) = gate._bundle_conditions(night, version, None, None, None)
    assert condition == Condition("the bundle is the registered one", False, "it was changed in the registry")
    with pytest.raises(NightshelfError, match="changed in the registry"):
        approvals.decide(versions.find(version), versions.verdict_tags("FIRST", []), approved=True)


def test_a_person_approves_by_promoting_and_a_rollback_needs_an_approval_or_a_name(night):
    version = by_hand()
    acts.promote(version, "checked by hand")
    with pytest.raises(NightshelfError, match=f"tags of version {version} aren't those of a nightly run"):
        versions.champion()
    approvals.require(versions.find(version))
    MlflowClient(settings().tracking_uri).set_registered_model_alias(settings().model_name, "previous", "1")
    with pytest.raises(NightshelfError, match="approved no version 1"):
        acts.rollback(None, "in haste")
    assert acts.rollback("1", "by name") == "1"
    approvals.require(versions.find("1"))
