"""Walks rows of features down boosted trees, in compiled code."""

import numpy as np

from serving.bundle.compiler import Array, compiled
from serving.bundle.trees import FEATURE_BITS, Trees

BLOCK = 64  # rows that walk together: a tree and their features stay in the processor's first cache


@compiled
def scores(trees: Trees, features: Array) -> Array:
    """Returns the sum of the leaves that each of m rows reaches, (m,) float32; features: (m, F) float32."""
    total = np.full(len(features), trees.base, np.float32)
    # Signed indices would be checked for being negative, at each step.
    flat, width = features.ravel(), np.uint32(features.shape[1])
    bits, mask = np.uint32(FEATURE_BITS), np.uint32((1 << FEATURE_BITS) - 1)
    node = np.empty(BLOCK, np.uint32)
    for start in range(0, len(features), BLOCK):
        count = min(BLOCK, len(features) - start)
        for tree in range(len(trees.root)):
            node[:] = trees.root[tree]
            for _ in range(trees.depth[tree]):
                first = np.uint32(start) * width
                for row in range(count):
                    step, threshold = trees.step[node[row]], trees.threshold[node[row]]
                    is_right = flat[first + (step & mask)] >= threshold
                    node[row] = (step >> bits) + np.uint32(is_right)
                    first += width
            for row in range(count):
                total[start + row] += trees.value[node[row]]
    return total
