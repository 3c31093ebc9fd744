"""The ranker's model: gradient-boosted trees, stored in the bundle as the bytes of XGBoost's JSON."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from serving.bundle.forest import Forest
from serving.bundle.traits import FEATURE_NAMES
from serving.errors import BundleError

if TYPE_CHECKING:
    from serving.bundle.boosting import xgboost

Bytes = npt.NDArray[Any]


def to_bytes(model: "xgboost.Booster") -> Bytes:
    """Serialises a model, (n,) uint8."""
    return np.frombuffer(bytes(model.save_raw("json")), np.uint8)


def no_model() -> Bytes:
    """Returns the empty array that stands for "no model", (0,) uint8."""
    return np.empty(0, np.uint8)


def from_bytes(content: Bytes) -> "xgboost.Booster | None":
    """Returns the model stored in (n,) uint8 bytes, or None if there are none.

    Raises BundleError if the bytes are no valid model, or if the model expects other features than
    this release computes.
    """
    if not len(content):
        return None
    # A bundle without a model needs no XGBoost, whose import takes longer than loading the bundle.
    from serving.bundle.boosting import xgboost

    model = xgboost.Booster({"nthread": 1})  # a request is small, and other requests run beside it
    try:
        # XGBoost reads what was checked, not the bytes themselves, which it might read in another way.
        model.load_model(bytearray(Forest.model_validate_json(content.tobytes()).model_dump_json().encode()))
    except (ValidationError, xgboost.core.XGBoostError):
        raise BundleError("the ranker's model in the bundle can't be read: promote another version") from None
    if model.num_features() != len(FEATURE_NAMES):
        raise BundleError(
            f"the ranker's model in the bundle expects {model.num_features()} features,"
            f" this release computes {len(FEATURE_NAMES)}: retrain with `nightshelf retrain`"
        )
    return model
