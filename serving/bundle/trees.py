"""The ranker's model: gradient-boosted trees, stored in the bundle as the bytes of XGBoost's JSON."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from serving.bundle.forest import LEAF, Forest, Learner
from serving.bundle.learned import read_only
from serving.bundle.traits import FEATURE_NAMES
from serving.errors import BundleError

Array = npt.NDArray[Any]

FEATURE_BITS = 8  # of a node's step, its lowest: the feature; the others hold the left child
MOST_NODES = 1 << (32 - FEATURE_BITS)


class Trees(NamedTuple):
    """The n nodes of t trees. A node's right child follows its left one; a leaf is its own left child."""

    step: Array  # (n,) uint32, left child << FEATURE_BITS | feature
    threshold: Array  # (n,) float32; a value at least as high goes right; nan in leaves, where nothing does
    value: Array  # (n,) float32, of leaves
    root: Array  # (t,) uint32
    depth: Array  # (t,) int64
    base: np.float32  # the score before the first tree

    def scores(self, features: Array) -> Array:
        """Returns the scores of m pairs, (m,) float32, which are XGBoost's margins to the last bit.

        features: (m, F) float32, without nan.
        """
        from serving.bundle import walk  # imports numba, which a bundle without a model doesn't need

        return walk.scores(self, features)


def no_model() -> Array:
    """Returns the empty array that stands for "no model", (0,) uint8."""
    return np.empty(0, np.uint8)


def from_bytes(content: Array) -> Trees | None:
    """Returns the model stored in (n,) uint8 bytes, or None if there are none.

    Raises BundleError if the bytes are no valid model, or if the model expects other features than
    this release computes.
    """
    if not len(content):
        return None
    try:
        learner = Forest.model_validate_json(content.tobytes()).learner
    except ValidationError:
        raise BundleError("the ranker's model in the bundle can't be read: promote another version") from None
    expected = int(learner.learner_model_param.num_feature)
    if expected != len(FEATURE_NAMES):
        raise BundleError(
            f"the ranker's model in the bundle expects {expected} features,"
            f" this release computes {len(FEATURE_NAMES)}: retrain with `nightshelf retrain`"
        )
    return _flat(learner)


def _flat(learner: Learner) -> Trees:
    """Returns the nodes of all trees, one tree behind the other, each level by level."""
    trees = learner.gradient_booster.model.trees
    levels = [tree.levels() for tree in trees]
    roots = np.cumsum([0, *(sum(map(len, level)) for level in levels)])
    if roots[-1] >= MOST_NODES:
        raise BundleError("the ranker's model in the bundle has too many nodes: promote another version")
    step, threshold, value = np.empty(roots[-1], np.uint32), *np.empty((2, roots[-1]), np.float32)
    for tree, level, root in zip(trees, levels, roots[:-1].tolist(), strict=True):
        order = np.concatenate(level)
        own = slice(root, root + len(order))
        children, is_leaf = tree.children(order), np.array(tree.left_children)[order] == LEAF
        split = np.array(tree.split_conditions, np.float32)[order]
        feature = np.where(is_leaf, 0, np.array(tree.split_indices)[order])
        step[own] = (children + root) << FEATURE_BITS | feature
        threshold[own], value[own] = np.where(is_leaf, np.nan, split), np.where(is_leaf, split, 0)
    return Trees(
        read_only(step, np.uint32),
        read_only(threshold, np.float32),
        read_only(value, np.float32),
        read_only(roots[:-1], np.uint32),
        read_only(np.array([len(level) - 1 for level in levels]), np.int64),
        np.float32(learner.base),
    )
