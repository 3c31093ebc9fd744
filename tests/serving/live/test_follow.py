"""The follower against a real registry in SQLite: what it serves is what the champion is, or was."""

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

from serving.bundle.format import Bundle, save
from serving.live.follow import KEPT, Follower
from serving.live.served import Live
from serving.settings import ServingSettings


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "serving")
    return caplog


@pytest.fixture
def follower(settings: ServingSettings) -> Follower:
    return Follower(settings, Live())


@pytest.fixture
def published(uri: str, bundle: Bundle, tmp_path: Path) -> str:
    return bundles.publish(uri, bundle, tmp_path)


def version(follower: Follower) -> str | None:
    return follower.live.served.version if follower.live.served else None


def on_disk(follower: Follower) -> set[str]:
    return {folder.name.partition("-")[0] for folder in follower.folder.iterdir() if folder.is_dir()}


def doubled(bundle: Bundle) -> Bundle:
    return dataclasses.replace(bundle, trend=bundle.trend * 2)


def test_the_champion_is_served(follower: Follower, published: str, bundle: Bundle) -> None:
    follower.look()
    assert version(follower) == published == "1"
    assert follower.live.served is not None
    np.testing.assert_array_equal(follower.live.served.bundle.item_factors, bundle.item_factors)


def test_the_cap_of_the_settings_is_served(
    follower: Follower, published: str, settings: ServingSettings
) -> None:
    strict = Follower(settings.model_copy(update={"per_category": 2}), Live())
    for one, most in ((follower, None), (strict, 2)):
        one.look()
        assert one.live.served is not None
        assert one.live.served.per_category == most


def test_a_promotion_is_followed_and_a_rollback_too(
    follower: Follower, published: str, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    follower.look()
    before = follower.live.served
    second = bundles.publish(uri, doubled(bundle), tmp_path)
    follower.look()
    assert version(follower) == second == "2"
    assert before is not None
    assert before.bundle.trend[0] == bundle.trend[0]  # a request in flight keeps the bundle it began with
    bundles.promote(uri, published)
    follower.look()
    assert version(follower) == published


def test_a_registered_version_that_is_no_champion_is_left_alone(
    follower: Follower, published: str, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    follower.look()
    bundles.register(uri, save(doubled(bundle), tmp_path / "bundle"))
    follower.look()
    assert version(follower) == published


def test_nothing_is_loaded_twice(follower: Follower, published: str) -> None:
    follower.look()
    before = follower.live.served
    follower.look()
    assert follower.live.served is before


def test_without_a_registry_there_is_a_reason_and_none_is_made(follower: Follower, tmp_path: Path) -> None:
    follower.look()
    assert version(follower) is None
    assert "no registry yet" in follower.live.reason
    assert not list(tmp_path.rglob("mlflow.db"))


def test_without_a_champion_there_is_a_reason(follower: Follower, uri: str) -> None:
    follower.look()
    assert version(follower) is None
    assert "no version of nightshelf with the alias champion" in follower.live.reason


@pytest.mark.parametrize("array", ["item_factors", "trend"])
def test_a_tampered_bundle_is_left_alone_and_named_once(
    follower: Follower, published: str, uri: str, tmp_path: Path, bundle: Bundle, array: str,
    logged: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    follower.look()
    folder = save(bundle, tmp_path / "bundle")
    np.save(folder / f"{array}.npy", getattr(bundle, array) * 2)
    bundles.promote(uri, bundles.register(uri, folder))
    for _ in range(3):
        follower.look()
    assert version(follower) == published
    warnings = [record.getMessage() for record in logged.records if record.levelno == logging.WARNING]
    (warning,) = warnings
    assert warning.startswith(f"version 2 is refused: {array}.npy of bundle 2-")
    assert warning.endswith("; version 1 goes on serving")


def test_a_bundle_that_cannot_answer_is_left_alone(
    follower: Follower, published: str, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    follower.look()
    bundles.publish(uri, dataclasses.replace(bundle, manifest={"recent_days": [7, 28]}), tmp_path)
    follower.look()
    assert version(follower) == published
    assert "version 2 is refused: it can't answer a first question (KeyError)" in follower.live.reason


def test_a_champion_of_an_older_format_says_what_to_do(follower: Follower, uri: str, tmp_path: Path) -> None:
    bundles.promote(uri, bundles.register(uri, bundles.of_format_1(tmp_path / "bundle")))
    follower.look()
    assert version(follower) is None
    assert follower.live.reason.startswith("version 1 is refused: bundle 1-")
    assert "has format 1, this release reads 2: run a night, `nightshelf retrain`" in follower.live.reason


def test_a_refused_bundle_is_not_fetched_again(
    follower: Follower, published: str, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    bundles.publish(uri, dataclasses.replace(bundle, manifest={}), tmp_path)
    follower.look()
    reason = follower.live.reason
    shutil.rmtree(tmp_path / "mlruns" / "artifacts")
    follower.look()
    assert follower.live.reason == reason


def test_a_version_without_a_bundle_is_left_alone(
    follower: Follower, published: str, uri: str, tmp_path: Path
) -> None:
    follower.look()
    other = tmp_path / "other"
    other.mkdir()
    (other / "readme").touch()
    bundles.promote(uri, bundles.register(uri, other))
    follower.look()
    assert version(follower) == published
    assert "version 2 is refused: no readable manifest.json" in follower.live.reason


def test_a_good_champion_after_a_refused_one_is_followed(
    follower: Follower, published: str, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    bundles.publish(uri, dataclasses.replace(bundle, manifest={}), tmp_path)
    follower.look()
    third = bundles.publish(uri, doubled(bundle), tmp_path)
    follower.look()
    assert (version(follower), follower.live.reason) == (third, "")


@pytest.fixture
def registry_down(settings: ServingSettings) -> Iterator[ServingSettings]:
    """The same home with a registry that answers no one: nothing listens on the port of discards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        yield settings.model_copy(update={"mlflow_uri": "http://user:secret@127.0.0.1:9"})


def test_a_registry_that_is_down_changes_nothing(
    follower: Follower, published: str, registry_down: ServingSettings, logged: pytest.LogCaptureFixture
) -> None:
    follower.look()
    before = follower.live.served
    follower.settings = registry_down
    for _ in range(2):
        follower.look()
    assert follower.live.served is before
    assert logged.text.count("didn't give the version of nightshelf with the alias champion") == 1
    assert "secret" not in logged.text


def test_a_start_without_the_registry_goes_on_with_the_last_one_served(
    follower: Follower, published: str, registry_down: ServingSettings
) -> None:
    follower.look()
    restarted = Follower(registry_down, Live())
    restarted.look()
    assert version(restarted) == published


def test_a_start_with_a_spoilt_copy_fetches_the_bundle_anew(
    follower: Follower, settings: ServingSettings, published: str
) -> None:
    follower.look()
    (copy,) = follower.folder.glob("1-*")
    (copy / "trend.npy").write_bytes(b"spoilt")
    restarted = Follower(settings, Live())
    restarted.look()
    assert version(restarted) == published


def test_a_spoilt_copy_is_never_served(
    follower: Follower, published: str, registry_down: ServingSettings
) -> None:
    follower.look()
    (copy,) = follower.folder.glob("1-*")
    (copy / "trend.npy").write_bytes(b"spoilt")
    restarted = Follower(registry_down, Live())
    restarted.look()
    assert version(restarted) is None


def test_a_registry_made_anew_is_not_mistaken_for_the_old_one(
    follower: Follower,
    settings: ServingSettings,
    published: str,
    tables: Path,
    bundle: Bundle,
    tmp_path: Path,
) -> None:
    follower.look()
    shutil.copy(tables, tmp_path / "other.db")
    other = settings.model_copy(update={"mlflow_uri": f"sqlite:///{tmp_path / 'other.db'}"})
    bundles.empty_registry(other.tracking_uri, tmp_path / "other")
    assert bundles.publish(other.tracking_uri, doubled(bundle), tmp_path) == published
    follower.settings = other
    follower.look()
    assert follower.live.served is not None
    assert follower.live.served.bundle.trend[0] == 2 * bundle.trend[0]


def test_only_the_last_few_stay_on_disk(follower: Follower, uri: str, bundle: Bundle, tmp_path: Path) -> None:
    for _ in range(KEPT + 2):
        newest = bundles.publish(uri, bundle, tmp_path)
        follower.look()
    assert on_disk(follower) == {str(int(newest) - back) for back in range(KEPT)}


def test_a_bundle_that_was_gone_back_to_stays_on_disk(
    follower: Follower, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    for _ in range(KEPT):
        bundles.publish(uri, bundle, tmp_path)
        follower.look()
    bundles.promote(uri, "1")
    follower.look()
    bundles.publish(uri, bundle, tmp_path)
    follower.look()
    assert on_disk(follower) == {"1", "3", "4"}


def test_one_process_at_a_time_changes_the_folder(follower: Follower, published: str) -> None:
    follower.folder.mkdir(parents=True)
    with (follower.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        follower.start()
        time.sleep(1)
        assert version(follower) is None
    bundles.until(lambda: version(follower) == published, 10)
    follower.stop()


def test_several_may_follow_into_one_folder(settings: ServingSettings, published: str) -> None:
    followers = [Follower(settings, Live()) for _ in range(4)]
    for follower in followers:
        follower.start()
    for follower in followers:
        bundles.until(lambda: version(follower) == published, 20)  # noqa: B023
        follower.stop()
    assert not [path for path in followers[0].folder.glob(".*") if path.is_dir()]


def test_the_background_follows(follower: Follower, uri: str, bundle: Bundle, tmp_path: Path) -> None:
    follower.start()
    try:
        for _ in range(2):
            newest = bundles.publish(uri, bundle, tmp_path)
            bundles.until(lambda: version(follower) == newest, 10)  # noqa: B023
    finally:
        follower.stop()


def test_a_lost_disk_stops_no_service(
    follower: Follower, published: str, uri: str, settings: ServingSettings, bundle: Bundle, tmp_path: Path
) -> None:
    follower.look()
    bundles.publish(uri, bundle, tmp_path)
    shutil.rmtree(settings.state)
    settings.state.write_text("no folder")
    follower.look()
    assert version(follower) == published
    assert "following the registry failed" in follower.live.reason
