"""The ranker's learned model: gradient-boosted trees, lying in a bundle as the bytes of XGBoost's JSON."""

from typing import Any

import numpy as np
import numpy.typing as npt
from xgboost import Booster
from xgboost.core import XGBoostError

from serving.bundle.traits import FEATURE_NAMES
from serving.errors import BundleError

Bytes = npt.NDArray[Any]


def to_bytes(model: Booster) -> Bytes:
    """The bytes of a model, (n,) uint8."""
    return np.frombuffer(bytes(model.save_raw("json")), np.uint8)


def no_model() -> Bytes:
    """The bytes of no model."""
    return np.empty(0, np.uint8)


def from_bytes(content: Bytes) -> Booster | None:
    """The model of such bytes, None of none; it takes one thread.

    Raises BundleError where it isn't whole or asks for other features than there are.
    """
    if not len(content):
        return None
    model = Booster({"nthread": 1})  # a request has little to do, and others wait beside it
    try:
        model.load_model(bytearray(content.tobytes()))
    except XGBoostError:
        raise BundleError("the ranker's model in the bundle can't be read: promote another version") from None
    if model.num_features() != len(FEATURE_NAMES):
        raise BundleError(
            f"the ranker's model in the bundle asks for {model.num_features()} features,"
            f" this release has {len(FEATURE_NAMES)}: retrain"
        )
    return model
