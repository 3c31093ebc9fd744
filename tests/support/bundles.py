"""A bundle small enough to compute every result by hand, and helpers that register and promote bundles.

There are two tastes, coffee and tea. The factors of Anna are (2, 0.5), of Boris (0.5, 2), of a coffee (f, 0)
and of a tea (0, f) with f = 1, 0.9, 0.8. So Anna's coffees score 2, 1.8, 1.6 and her teas 0.5, 0.45, 0.4.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from serving.bundle import traits, trees
from serving.bundle.files import save
from serving.bundle.format import Bundle, texts
from serving.live import registry
from serving.live.approval import APPROVAL
from serving.live.identity import pseudonym

EXPERIMENT = "nightly"
KEY = "a key of the tests"
ANNA = "+7(916)539-6205"
BORIS = "79153706507"
UNKNOWN_CUSTOMER = "+7 (905) 545-5709"

PRODUCTS = ["coffee-1", "coffee-2", "coffee-3", "new", "tea-1", "tea-2", "tea-3"]
NAMES = ["Coffee one", "Кофе два", "Coffee three", "Nobody's yet", "Tea one", "Tea two", ""]
# Coffees have similar descriptions, and so have the first two teas. `new` is described as a tea.
CONTENT = [[1, 0], [0.8, 0.6], [1, 0], [0, 1], [0, 1], [0.6, 0.8], [0, 0]]


def small(products: Sequence[str] = PRODUCTS) -> Bundle:
    """Returns the bundle.

    coffee-3 is out of stock, `new` has no buyer, and tea-3 has no name, brand or price.
    """
    factors = np.array([[1, 0], [0.9, 0], [0.8, 0], [0, 0], [0, 1], [0, 0.9], [0, 0.8]], dtype=np.float32)
    users = {
        pseudonym(ANNA, KEY): ([2, 0.5], [0, 1], [3, 1]),
        pseudonym(BORIS, KEY): ([0.5, 2], [4, 6], [2, 1]),
    }
    rows = [users[customer] for customer in sorted(users)]
    return Bundle(
        customers=texts(sorted(users)),
        products=texts(list(products)),
        name=texts(NAMES),
        category=texts(["coffee"] * 3 + ["tea"] * 4),
        brand=texts(["Acme"] * 6 + [""]),
        price=np.array([9.5, 8, 7, 6, 5, 4, np.nan]),
        in_stock=np.array([True, True, False, True, True, True, True]),
        weight=np.ones(7, dtype=np.float32),
        hidden=np.zeros(7, dtype=bool),
        popularity=np.array([5, 4, 3, 0, 4, 2, 1], dtype=np.float32),
        trend=np.array([3, 1, 2, 0, 5, 4, 0.5], dtype=np.float32),
        new=np.zeros(7, dtype=bool),
        recent=np.array([[0, 0, 0, 0, 1, 2, 0], [1, 0, 2, 0, 3, 2, 1]], dtype=np.int32),
        groups=texts(["France", "Ελλάδα"]),
        group_start=np.array([0, 2, 3]),
        group_product=np.array([6, 0, 1], dtype=np.int32),
        group_trend=np.array([0.5, 0.25, 1], dtype=np.float32),
        history_start=np.array([0, 2, 4]),
        history_product=np.concatenate([row[1] for row in rows]).astype(np.int32),
        history_orders=np.concatenate([row[2] for row in rows]).astype(np.int32),
        history_last=np.full(4, 20_000, dtype=np.int32),
        history_strength=np.concatenate([row[2] for row in rows]).astype(np.float32),
        history_weight=np.concatenate([row[2] for row in rows]).astype(np.float32),
        user_factors=np.array([row[0] for row in rows], dtype=np.float32),
        item_factors=factors,
        content_factors=np.array(CONTENT, dtype=np.float32),
        boost=np.ones(7, dtype=np.float32),
        history_traits=np.ones((4, len(traits.PURCHASE)), dtype=np.float32),
        customer_traits=np.ones((2, len(traits.CUSTOMER)), dtype=np.float32),
        product_traits=np.ones((7, len(traits.PRODUCT)), dtype=np.float32),
        neighbours=np.array([[1], [0], [0], [0], [5], [4], [4]], dtype=np.int32),
        neighbour_cosine=np.array([[0.5], [0.5], [0.4], [0], [0.3], [0.3], [0.2]], dtype=np.float32),
        basket_neighbours=np.zeros((7, 1), dtype=np.int32),
        basket_cosine=np.zeros((7, 1), dtype=np.float32),
        leading=np.array([4, 5], dtype=np.int32),
        ranker=trees.no_model(),
        rule_start=np.array([0, 3, 3, 3, 3, 4, 4, 4]),
        rule_consequent=np.array([1, 2, 4, 5], dtype=np.int32),
        rule_confidence=np.array([0.6, 0.5, 0.4, 0.9], dtype=np.float32),
        rule_lift=np.array([0.8, 2, 1.6, 4.5], dtype=np.float32),
        rule_support=np.array([0.3, 0.25, 0.2, 0.1], dtype=np.float32),
        rule_count=np.array([30, 25, 20, 10]),
        rule_complement=np.array([False, True, True, True]),
        # Baskets with coffee-1 and tea-1 also contain tea-2 or coffee-3.
        triple_key=np.array([0 * 7 + 4, 0 * 7 + 4]),
        triple_consequent=np.array([5, 2], dtype=np.int32),
        triple_confidence=np.array([0.95, 0.3], dtype=np.float32),
        triple_lift=np.array([4.75, 1.2], dtype=np.float32),
        triple_support=np.array([0.19, 0.06], dtype=np.float32),
        triple_count=np.array([19, 6]),
        manifest={
            "created_at": "2026-11-21T03:00:00+00:00",
            "as_of": "2026-11-20",
            "window": {"first_day": "2026-09-21", "last_day": "2026-11-20"},
            "counts": {"customers": 2, "products": 7, "interactions": 4, "orders": 7, "rules": 4},
            "lanes": {"for-you": "als", "buy-again": "repurchase", "discover": "als"},
            "settings": {"rank": 2},
            "metrics": {"for-you": {"ndcg_at_10": 0.5}},
            "fold_in": {"alpha": 1.0, "penalty": 1.0, "penalty_per_product": 0.0},
            "recent_days": [7, 28],
            "run_id": "0123456789abcdef",
        },
    )


FORMAT_1 = (
    *("customers", "products", "name", "category", "brand", "price", "in_stock", "popularity", "trend"),
    *("recent", "history_start", "history_product", "history_orders", "history_last", "history_strength"),
    *("user_factors", "item_factors"),
    *("rule_start", "rule_consequent", "rule_confidence", "rule_lift", "rule_support", "rule_count"),
)


def save_format_1(folder: Path) -> Path:
    """Saves the small bundle as the first releases did, in format 1, and returns the folder."""
    bundle = small()
    folder.mkdir()
    for name in FORMAT_1:
        np.save(folder / f"{name}.npy", getattr(bundle, name), allow_pickle=False)
    files = {name: hashlib.sha256((folder / f"{name}.npy").read_bytes()).hexdigest() for name in FORMAT_1}
    manifest = bundle.manifest | {"format": 1, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def empty_registry(uri: str, artifacts: Path) -> None:
    """Creates a registry in the database at `uri`."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment(EXPERIMENT, artifacts.as_uri())


def register(uri: str, folder: Path) -> str:
    """Registers a saved bundle as a nightly run does, and returns the version.

    The folder's name must be `bundle`.
    """
    import mlflow

    import serving
    from serving import pyfunc

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run():
        model = mlflow.pyfunc.log_model(
            name="model",
            python_model=pyfunc.__file__,
            artifacts={"bundle": str(folder)},
            code_paths=list(serving.__path__),
            pip_requirements=[],
            registered_model_name="nightshelf",
        )
    return str(model.registered_model_version)


def promote(uri: str, version: str) -> None:
    """Approves a version as the gate does, and promotes it to champion."""
    import mlflow
    from mlflow import MlflowClient

    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri, uri)
    registered = client.get_model_version("nightshelf", version)
    manifest, verdict = registry.manifest(registered), registry.verdict(registered)
    approval = registry.seal(KEY, APPROVAL, registered, manifest, verdict)
    client.set_model_version_tag("nightshelf", version, APPROVAL, approval)
    set_champion(uri, version)


def set_champion(uri: str, version: str) -> None:
    """Points the champion's alias at a version, as anyone who reaches MLflow can."""
    from mlflow import MlflowClient

    MlflowClient(uri, uri).set_registered_model_alias("nightshelf", "champion", version)


def publish(uri: str, bundle: Bundle, folder: Path) -> str:
    """Saves, registers and promotes a bundle, and returns the version."""
    version = register(uri, save(bundle, folder / "bundle"))
    promote(uri, version)
    return version


def wait_until(condition: Callable[[], bool], seconds: float) -> float:
    """Waits until a condition is true and returns the seconds it took; fails after `seconds`."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"the condition isn't true after {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - started
