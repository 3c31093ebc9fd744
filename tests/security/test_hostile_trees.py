"""A broken or hostile model of trees is refused before XGBoost reads it, and never ends a worker."""

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bundles
import httpx
import numpy as np
import psutil
import pytest
import random_bundles
from processes import service, wait_for

from serving.bundle import trees
from serving.bundle.files import save
from serving.bundle.format import Array, Bundle
from serving.bundle.traits import FEATURE_NAMES
from serving.errors import BundleError
from serving.live import opening
from serving.live.follow import Follower
from serving.live.served import ServingState
from serving.settings import ServingSettings

Model = dict[str, Any]
POLLS = 5  # seconds, in which a service that restarts after a crash crashes again


def forest(model: Model) -> Any:
    return model["learner"]["gradient_booster"]["model"]


def child_out_of_range(model: Model) -> None:
    forest(model)["trees"][0]["left_children"][0] = 2**30


def negative_child(model: Model) -> None:
    forest(model)["trees"][0]["left_children"][0] = -(2**20)


def cycle(model: Model) -> None:
    tree = forest(model)["trees"][0]
    tree["left_children"][1] = tree["right_children"][1] = 1


def feature_out_of_range(model: Model) -> None:
    forest(model)["trees"][0]["split_indices"][0] = 2**30


def foreign_parent(model: Model) -> None:
    forest(model)["trees"][0]["parents"][1] = 2**31 - 1


def shorter_list(model: Model) -> None:
    forest(model)["trees"][0]["split_conditions"].pop()


def categorical_split(model: Model) -> None:
    forest(model)["trees"][0]["split_type"][0] = 1


def another_group(model: Model) -> None:
    forest(model)["tree_info"][0] = 2**30


def many_classes(model: Model) -> None:
    model["learner"]["learner_model_param"]["num_class"] = "1000000000"


def another_booster(model: Model) -> None:
    model["learner"]["gradient_booster"]["name"] = "dart"


def iterations_out_of_range(model: Model) -> None:
    forest(model)["iteration_indptr"][-1] = 2**30


def not_finite(model: Model) -> None:
    forest(model)["trees"][0]["split_conditions"][0] = float("inf")


HOSTILE = (
    child_out_of_range, negative_child, cycle, feature_out_of_range, foreign_parent, shorter_list,
    categorical_split, another_group, many_classes, another_booster, iterations_out_of_range, not_finite,
)  # fmt: skip


def sound() -> Bundle:
    return random_bundles.draw(np.random.default_rng(1))


def changed(ranker: Array, change: Callable[[Model], None]) -> Array:
    model = json.loads(ranker.tobytes())
    change(model)
    return np.frombuffer(json.dumps(model).encode(), np.uint8)


@pytest.mark.fast
@pytest.mark.parametrize("change", HOSTILE)
def test_hostile_trees_are_refused_before_they_are_walked(change: Callable[[Model], None]) -> None:
    with pytest.raises(BundleError, match="ranker's model in the bundle can't be read"):
        trees.from_bytes(changed(sound().ranker, change))


@pytest.mark.fast
def test_a_chain_as_deep_as_a_file_allows_is_refused() -> None:
    def chain(model: Model) -> None:
        tree, nodes = forest(model)["trees"][0], 20_001
        inner = np.arange(nodes) % 2 == 0
        inner[-1] = False
        for name, values in tree.items():
            if isinstance(values, list) and values:
                tree[name] = values[:1] * nodes
        tree["left_children"] = np.where(inner, np.arange(nodes) + 1, -1).tolist()
        tree["right_children"] = np.where(inner, np.arange(nodes) + 2, -1).tolist()
        tree["tree_param"]["num_nodes"] = str(nodes)

    with pytest.raises(BundleError):
        trees.from_bytes(changed(sound().ranker, chain))


@pytest.mark.fast
def test_checked_trees_score_as_before() -> None:
    import xgboost as xgb

    ranker = sound().ranker
    unchecked = xgb.Booster({"nthread": 1})
    unchecked.load_model(bytearray(ranker.tobytes()))
    features = np.random.default_rng(2).random((200, len(FEATURE_NAMES))).astype(np.float32)
    checked = trees.from_bytes(ranker)
    assert checked is not None
    np.testing.assert_array_equal(
        checked.scores(features), unchecked.inplace_predict(features, predict_type="margin")
    )


def test_a_service_goes_on_serving_the_version_before_hostile_trees(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    first = bundles.publish(uri, bundle, tmp_path)
    with service(settings.home) as up:
        wait_for(f"{up.url}/readyz", 200, up.process)
        for change in (child_out_of_range, cycle, feature_out_of_range):
            hostile = sound()
            version = bundles.publish(uri, replace(hostile, ranker=changed(hostile.ranker, change)), tmp_path)
            ended = time.monotonic() + POLLS
            while time.monotonic() < ended:
                address = f"{up.url}/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations"
                answer = httpx.get(address, timeout=5)
                assert (answer.status_code, answer.headers["Nightshelf-Model-Version"]) == (200, first)
                time.sleep(0.2)
            refused = f"version {version} is refused: the ranker's model in the bundle can't be read"
            bundles.wait_until(lambda: refused in up.log.read_text(), 60)  # noqa: B023
        assert up.log.read_text().count("version 1 is live") == 1


@contextlib.contextmanager
def crashing_children() -> Iterator[None]:
    """Sends every new child process the signal of a segmentation fault."""
    stopping, present = threading.Event(), {*psutil.Process().children()}

    def crash() -> None:
        while not stopping.wait(0.05):
            for child in {*psutil.Process().children()} - present:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.send_signal(signal.SIGSEGV)

    thread = threading.Thread(target=crash)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def test_a_bundle_that_ends_the_process_that_opens_it_is_not_tried_again(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    follower = Follower(settings, ServingState())
    first = bundles.publish(uri, bundle, tmp_path)
    follower.poll()
    second = bundles.publish(uri, sound(), tmp_path)
    with crashing_children():
        follower.poll()
    refusal = follower.state.reason
    assert refusal.startswith(f"version {second} is refused: opening it ended a process (SIGSEGV)")
    assert follower.state.served is not None
    assert follower.state.served.version == first
    started = time.monotonic()
    follower.poll()
    assert follower.state.reason == refusal
    assert time.monotonic() - started < 1  # a new process takes longer to import what it needs
    assert [path.name.partition("-")[0] for path in follower.folder.glob("[0-9]*")] == [first]


def test_a_bundle_is_opened_in_another_process(tmp_path: Path) -> None:
    folder = save(sound(), tmp_path / "bundle")
    opening.try_out(folder)
    (folder / "trend.npy").write_bytes(b"")
    with pytest.raises(BundleError, match=r"^trend.npy of bundle bundle is missing or altered"):
        opening.try_out(folder)
