"""Whoever reaches MLflow can move aliases; the service follows only versions that were approved."""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

import bundles
import httpx
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from processes import service, wait_for

from serving.bundle.files import save
from serving.bundle.format import Bundle
from serving.live.approval import APPROVAL
from serving.live.follow import Follower
from serving.live.served import ServingState
from serving.settings import ServingSettings

MODEL = "nightshelf"
POLLS = 6  # seconds, a dozen checks of the registry


def steered(bundle: Bundle) -> Bundle:
    """Returns the bundle with another order of products, as an attacker would like it."""
    return dataclasses.replace(bundle, trend=bundle.trend[::-1].copy())


def follow(settings: ServingSettings) -> Follower:
    follower = Follower(settings, ServingState())
    follower.poll()
    return follower


def live(follower: Follower) -> str | None:
    return follower.state.served.version if follower.state.served else None


def copy_seal(client: MlflowClient, uri: str, folder: Path) -> str:
    """Registers a version and copies the tags of an approved one to it."""
    version = bundles.register(uri, folder)
    for name, value in client.get_model_version(MODEL, "1").tags.items():
        client.set_model_version_tag(MODEL, version, name, value)
    return version


def write_seal(client: MlflowClient, uri: str, folder: Path) -> str:
    """Registers a version with a seal made with another key, and a verdict."""
    version = bundles.register(uri, folder)
    for name, value in {APPROVAL: "0" * 64, "verdict": "PROMOTED", "reasons": "[]"}.items():
        client.set_model_version_tag(MODEL, version, name, value)
    return version


def change_bundle(client: MlflowClient, uri: str, folder: Path) -> str:
    """Replaces the bundle of the approved version by another whose digests are right."""
    stored = Path(download_artifacts(f"models:/{MODEL}/1"))
    for file in folder.iterdir():
        (stored / "artifacts" / "bundle" / file.name).write_bytes(file.read_bytes())
    return "1"


def change_verdict(client: MlflowClient, uri: str, folder: Path) -> str:
    """Changes the verdict that the service shows."""
    client.set_model_version_tag(MODEL, "1", "verdict", "PROMOTED")
    return "1"


def break_verdict(client: MlflowClient, uri: str, folder: Path) -> str:
    """Writes reasons that are no JSON."""
    client.set_model_version_tag(MODEL, "1", "verdict", "PROMOTED")
    client.set_model_version_tag(MODEL, "1", "reasons", "[" * 5_000)
    return "1"


ATTACKS = (copy_seal, write_seal, change_bundle, change_verdict, break_verdict)


def test_a_running_service_does_not_follow_a_version_made_by_hand(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    first = bundles.publish(uri, bundle, tmp_path)
    with service(settings.home) as up:
        wait_for(f"{up.url}/readyz", 200, up.process)
        forged = bundles.register(uri, save(steered(bundle), tmp_path / "bundle"))
        bundles.set_champion(uri, forged)
        time.sleep(POLLS)
        assert httpx.get(f"{up.url}/v1/model").json()["model"] == {"version": first}
        log = up.log.read_text()
        assert f"`nightshelf promote {forged} --reason TEXT`" in log
        assert "Traceback" not in log


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_forged_seal_is_followed(
    attack: Callable[[MlflowClient, str, Path], str],
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path,
) -> None:  # fmt: skip
    bundles.publish(uri, bundle, tmp_path)
    version = attack(MlflowClient(uri, uri), uri, save(steered(bundle), tmp_path / "bundle"))
    bundles.set_champion(uri, version)
    follower = follow(settings)
    assert live(follower) is None
    assert f"approved no version {version}" in follower.state.reason


def test_the_approval_of_another_installation_is_none(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    version = bundles.publish(uri, bundle, tmp_path)
    other = settings.model_copy(update={"customer_key": type(settings.customer_key)("another key")})
    assert live(follow(other)) is None
    assert live(follow(settings)) == version


def test_a_copy_on_disk_with_right_digests_that_was_never_approved_is_not_served(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    version = bundles.publish(uri, bundle, tmp_path)
    (copy,) = follow(settings).folder.glob("1-*")
    save(steered(bundle), copy)
    down = settings.model_copy(update={"mlflow_uri": f"sqlite:///{tmp_path}/none.db"})
    assert live(follow(down)) is None
    follower = follow(settings)  # which downloads the approved bundle again
    assert live(follower) == version
    assert follower.state.served is not None
    np.testing.assert_array_equal(follower.state.served.bundle.trend, bundle.trend)


def test_a_promotion_by_hand_is_followed_after_the_refusal(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    bundles.publish(uri, bundle, tmp_path)
    follower = follow(settings)
    version = bundles.register(uri, save(steered(bundle), tmp_path / "bundle"))
    bundles.set_champion(uri, version)
    follower.poll()
    assert live(follower) == "1"
    bundles.promote(uri, version)
    follower.poll()
    assert (live(follower), follower.state.reason) == (version, "")


def test_a_stripped_seal_leaves_the_bundle_served_last(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    version = bundles.publish(uri, bundle, tmp_path)
    follower = follow(settings)
    MlflowClient(uri, uri).delete_model_version_tag(MODEL, version, APPROVAL)
    restarted = follow(settings)
    assert live(restarted) == version
    assert "approved no version 1" in restarted.state.reason
    assert "approval" in json.loads((follower.folder / "served").read_text())
