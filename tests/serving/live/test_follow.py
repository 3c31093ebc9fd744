"""The follower with a real registry in SQLite: it serves the champion, or the last one that was usable."""

import dataclasses
import fcntl
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import bundles
import numpy as np
import pytest
from homes import put_empty_mlflow_database

from serving.bundle.files import save
from serving.bundle.format import Bundle
from serving.live.copies import BUNDLES_KEPT
from serving.live.follow import Follower
from serving.live.served import ServingState
from serving.settings import ServingSettings


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "serving")
    return caplog


@pytest.fixture
def follower(settings: ServingSettings) -> Follower:
    return Follower(settings, ServingState())


@pytest.fixture
def published(uri: str, bundle: Bundle, tmp_path: Path) -> str:
    return bundles.publish(uri, bundle, tmp_path)


def version(follower: Follower) -> str | None:
    return follower.state.served.version if follower.state.served else None


def on_disk(follower: Follower) -> set[str]:
    return {folder.name.partition("-")[0] for folder in follower.folder.iterdir() if folder.is_dir()}


def doubled(bundle: Bundle) -> Bundle:
    return dataclasses.replace(bundle, trend=bundle.trend * 2)


def test_serves_the_champion(follower: Follower, published: str, bundle: Bundle) -> None:
    follower.poll()
    assert version(follower) == published == "1"
    assert follower.state.served is not None
    np.testing.assert_array_equal(follower.state.served.bundle.item_factors, bundle.item_factors)


def test_serves_the_setting_of_products_per_category(
    follower: Follower, published: str, settings: ServingSettings
) -> None:
    strict = Follower(settings.model_copy(update={"per_category": 2}), ServingState())
    for tested, cap in ((follower, None), (strict, 2)):
        tested.poll()
        assert tested.state.served is not None
        assert tested.state.served.per_category == cap


def test_follows_a_promotion_and_a_rollback(
    follower: Follower, published: str, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    follower.poll()
    before = follower.state.served
    second = bundles.publish(uri, doubled(bundle), tmp_path)
    follower.poll()
    assert version(follower) == second == "2"
    assert before is not None
    assert before.bundle.trend[0] == bundle.trend[0]  # a request in flight keeps its bundle
    bundles.promote(uri, published)
    follower.poll()
    assert version(follower) == published


def test_ignores_a_registered_version_that_is_not_the_champion(
    follower: Follower, published: str, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    follower.poll()
    bundles.register(uri, save(doubled(bundle), tmp_path / "bundle"))
    follower.poll()
    assert version(follower) == published


def test_loads_a_version_once(follower: Follower, published: str) -> None:
    follower.poll()
    before = follower.state.served
    follower.poll()
    assert follower.state.served is before


def test_without_a_registry_gives_a_reason_and_creates_none(follower: Follower, tmp_path: Path) -> None:
    follower.poll()
    assert version(follower) is None
    assert "no registry yet" in follower.state.reason
    assert not list(tmp_path.rglob("mlflow.db"))


def test_without_a_champion_gives_a_reason(follower: Follower, uri: str) -> None:
    follower.poll()
    assert version(follower) is None
    assert "no version of nightshelf with the alias champion" in follower.state.reason


@pytest.mark.parametrize("array", ["item_factors", "trend"])
def test_refuses_a_tampered_bundle_and_logs_it_once(
    follower: Follower, published: str, uri: str, tmp_path: Path, bundle: Bundle, array: str,
    logged: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    follower.poll()
    folder = save(bundle, tmp_path / "bundle")
    np.save(folder / f"{array}.npy", getattr(bundle, array) * 2)
    bundles.promote(uri, bundles.register(uri, folder))
    for _ in range(3):
        follower.poll()
    assert version(follower) == published
    warnings = [record.getMessage() for record in logged.records if record.levelno == logging.WARNING]
    (warning,) = warnings
    assert warning.startswith(f"version 2 is refused: {array}.npy of bundle 2-")
    assert warning.endswith("; version 1 stays live")


def test_refuses_a_bundle_that_cannot_answer(
    follower: Follower, published: str, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    follower.poll()
    bundles.publish(uri, dataclasses.replace(bundle, manifest={"recent_days": [7, 28]}), tmp_path)
    follower.poll()
    assert version(follower) == published
    assert "version 2 is refused: it can't answer a test request (ValidationError)" in follower.state.reason


def test_refuses_an_older_format_and_says_what_to_do(follower: Follower, uri: str, tmp_path: Path) -> None:
    bundles.promote(uri, bundles.register(uri, bundles.save_format_1(tmp_path / "bundle")))
    follower.poll()
    assert version(follower) is None
    assert follower.state.reason.startswith("version 1 is refused: bundle 1-")
    assert "has format 1, this release reads 2: run `nightshelf retrain`" in follower.state.reason


def test_downloads_a_refused_bundle_once(
    follower: Follower, published: str, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    bundles.publish(uri, dataclasses.replace(bundle, manifest={}), tmp_path)
    follower.poll()
    reason = follower.state.reason
    shutil.rmtree(tmp_path / "mlruns" / "artifacts")
    follower.poll()
    assert follower.state.reason == reason


def test_refuses_a_version_without_a_bundle(
    follower: Follower, published: str, uri: str, tmp_path: Path
) -> None:
    follower.poll()
    other = tmp_path / "other"
    other.mkdir()
    (other / "readme").touch()
    bundles.set_champion(uri, bundles.register(uri, other))
    follower.poll()
    assert version(follower) == published
    assert follower.state.reason.startswith("version 2 is refused: this installation approved no version 2")


def test_follows_a_usable_champion_after_a_refused_one(
    follower: Follower, published: str, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    bundles.publish(uri, dataclasses.replace(bundle, manifest={}), tmp_path)
    follower.poll()
    third = bundles.publish(uri, doubled(bundle), tmp_path)
    follower.poll()
    assert (version(follower), follower.state.reason) == (third, "")


@pytest.fixture
def registry_down(settings: ServingSettings) -> Iterator[ServingSettings]:
    """Settings with a registry that is down: nothing listens on port 9."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        yield settings.model_copy(update={"mlflow_uri": "http://user:secret@127.0.0.1:9"})


def test_keeps_serving_while_the_registry_is_down_and_logs_it_once(
    follower: Follower, published: str, registry_down: ServingSettings, logged: pytest.LogCaptureFixture
) -> None:
    follower.poll()
    before = follower.state.served
    follower.settings = registry_down
    for _ in range(2):
        follower.poll()
    assert follower.state.served is before
    assert logged.text.count("didn't return the version of nightshelf with the alias champion") == 1
    assert "secret" not in logged.text


def test_a_restart_without_the_registry_serves_the_last_bundle(
    follower: Follower, published: str, registry_down: ServingSettings
) -> None:
    follower.poll()
    restarted = Follower(registry_down, ServingState())
    restarted.poll()
    assert version(restarted) == published


def test_a_restart_downloads_a_corrupt_copy_again(
    follower: Follower, settings: ServingSettings, published: str
) -> None:
    follower.poll()
    (copy,) = follower.folder.glob("1-*")
    (copy / "trend.npy").write_bytes(b"corrupt")
    restarted = Follower(settings, ServingState())
    restarted.poll()
    assert version(restarted) == published


def test_never_serves_a_corrupt_copy(
    follower: Follower, published: str, registry_down: ServingSettings
) -> None:
    follower.poll()
    (copy,) = follower.folder.glob("1-*")
    (copy / "trend.npy").write_bytes(b"corrupt")
    restarted = Follower(registry_down, ServingState())
    restarted.poll()
    assert version(restarted) is None


def test_serves_version_1_of_a_new_registry_after_version_1_of_the_old(
    follower: Follower,
    settings: ServingSettings,
    published: str,
    bundle: Bundle,
    tmp_path: Path,
) -> None:
    follower.poll()
    put_empty_mlflow_database(tmp_path / "other")
    database = tmp_path / "other" / "mlruns" / "mlflow.db"
    other = settings.model_copy(update={"mlflow_uri": f"sqlite:///{database}"})
    bundles.empty_registry(other.tracking_uri, tmp_path / "other")
    assert bundles.publish(other.tracking_uri, doubled(bundle), tmp_path) == published
    follower.settings = other
    follower.poll()
    assert follower.state.served is not None
    assert follower.state.served.bundle.trend[0] == 2 * bundle.trend[0]


def test_keeps_only_the_latest_bundles_on_disk(
    follower: Follower, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    for _ in range(BUNDLES_KEPT + 2):
        newest = bundles.publish(uri, bundle, tmp_path)
        follower.poll()
    assert on_disk(follower) == {str(int(newest) - back) for back in range(BUNDLES_KEPT)}


def test_keeps_the_bundle_of_a_rollback_on_disk(
    follower: Follower, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    for _ in range(BUNDLES_KEPT):
        bundles.publish(uri, bundle, tmp_path)
        follower.poll()
    bundles.promote(uri, "1")
    follower.poll()
    bundles.publish(uri, bundle, tmp_path)
    follower.poll()
    assert on_disk(follower) == {"1", "3", "4"}


def test_one_process_at_a_time_changes_the_folder(follower: Follower, published: str) -> None:
    follower.folder.mkdir(parents=True)
    with (follower.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        follower.start()
        time.sleep(1)
        assert version(follower) is None
    bundles.wait_until(lambda: version(follower) == published, 10)
    follower.stop()


def test_several_followers_share_one_folder(settings: ServingSettings, published: str) -> None:
    followers = [Follower(settings, ServingState()) for _ in range(4)]
    for follower in followers:
        follower.start()
    for follower in followers:
        bundles.wait_until(lambda: version(follower) == published, 20)  # noqa: B023
        follower.stop()
    assert not [path for path in followers[0].folder.glob(".*") if path.is_dir()]


def test_follows_in_the_background(follower: Follower, uri: str, bundle: Bundle, tmp_path: Path) -> None:
    follower.start()
    try:
        for _ in range(2):
            newest = bundles.publish(uri, bundle, tmp_path)
            bundles.wait_until(lambda: version(follower) == newest, 10)  # noqa: B023
    finally:
        follower.stop()


def test_keeps_serving_when_the_disk_is_lost(
    follower: Follower, published: str, uri: str, settings: ServingSettings, bundle: Bundle, tmp_path: Path
) -> None:
    follower.poll()
    bundles.publish(uri, bundle, tmp_path)
    shutil.rmtree(settings.state)
    settings.state.write_text("no folder")
    follower.poll()
    assert version(follower) == published
    assert "following the registry failed" in follower.state.reason
